// The page reads the newest state whenever the platform says that something changed.
import { get } from "/static/api.js";
import { attempt, byId, toast } from "/static/dom.js";
import { lang, switchLanguage, t, translate } from "/static/i18n.js";
import { readFaults, setUpFaults } from "/static/faults.js";
import { readRecords, setUpInspector } from "/static/inspector.js";
import { readLoad, setUpLoad } from "/static/load.js";
import { Phone } from "/static/phone.js";
import { readAccount, setUpPlatform } from "/static/platform.js";
import { readTokens, setUpTokens } from "/static/tokens.js";
import { loadTypes } from "/static/types.js";

const phones = [];

function addPhone(openID, removable) {
  const phone = new Phone(openID, phones.length === 0, removable ? () => {
    phones.splice(phones.indexOf(phone), 1);
    phone.node.remove();
    remember();
  } : null);
  phones.push(phone);
  byId("phones").append(phone.node);
  return phone;
}

// The phones that were added outlast a change of the language or the account, for as long as the tab.
function remember() {
  try { sessionStorage.setItem("phones", JSON.stringify(phones.slice(1).map((phone) => phone.openID))); } catch { /* Then they don't. */ }
}

function addRemembered() {
  let known = [];
  try { known = JSON.parse(sessionStorage.getItem("phones")) || []; } catch { /* As if there were none. */ }
  for (const openID of known) if (openID !== document.body.dataset.follower) addPhone(openID, true);
}

// nextFollower names a follower who isn't on the page yet.
function nextFollower() {
  let number = 2;
  while (phones.some((phone) => phone.openID.endsWith(String(number).padStart(4, "0")))) number++;
  return "oDEV" + String(number).padStart(24, "0");
}

async function readChats() {
  const { followers } = await get("followers");
  await Promise.all(phones.map((phone) => phone.read(followers)));
}

const readMenus = () => Promise.all(phones.map((phone) => phone.readMenu()));
const readState = () => Promise.all([readAccount(), readMenus(), readTokens(), readFaults()]);

// --- tabs and views

const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(tab, focus) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const shown = tabs.filter((one) => one.offsetParent !== null);
    choose(shown[(shown.indexOf(tab) + step + shown.length) % shown.length], true);
  });
}

// On a phone there is one view at a time.
for (const view of document.querySelectorAll(".views button")) {
  view.addEventListener("click", () => {
    document.body.dataset.view = view.dataset.view;
    for (const other of document.querySelectorAll(".views button")) other.setAttribute("aria-pressed", String(other === view));
    if (view.dataset.view === "inspector") choose(byId("tab-inspector"));
    if (view.dataset.view === "controls") choose(byId("tab-tokens"));
  });
}

// --- live

const readers = { chat: readChats, pushes: readRecords, calls: readRecords, state: readState, load: readLoad };

function refresh(topics) {
  for (const read of new Set(topics.map((topic) => readers[topic]).filter(Boolean))) attempt(read);
}

// Nothing that is shown is true of a platform that was restarted meanwhile.
let started;

function take(event) {
  if (started !== undefined && event.started !== started) location.reload();
  started = event.started;
  refresh(event.changed);
}

function listen() {
  const stream = new EventSource("/sim/v1/events");
  stream.addEventListener("open", () => byId("connection").classList.add("live"));
  stream.addEventListener("error", () => {
    byId("connection").classList.remove("live");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000); // After an answer that is none, such as a proxy's, browsers give up.
  });
  stream.addEventListener("change", (event) => take(JSON.parse(event.data)));
}

// --- begin

translate();
byId("language").textContent = lang === "en" ? "中文" : "English";
byId("language").lang = lang === "en" ? "zh-CN" : "en";
byId("language").addEventListener("click", switchLanguage);
byId("account-select").addEventListener("change", (event) => { location.search = "?" + new URLSearchParams({ account: event.target.value, lang }); });
byId("add-phone").addEventListener("click", () => attempt(async () => {
  const phone = addPhone(nextFollower(), true);
  remember();
  await Promise.all([readChats(), phone.readMenu()]);
  phone.input.focus();
}));
setUpInspector();
setUpTokens();
setUpFaults();
setUpLoad();
setUpPlatform();
addPhone(document.body.dataset.follower, false);
addRemembered();
byId("incomplete").remove();
history.replaceState(null, "");
loadTypes().catch((error) => toast(t("failed") + error.message)).finally(listen);
