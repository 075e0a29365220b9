// The inspector: a live timeline of pushes and API calls.
import { account, get } from "/static/api.js";
import { block, button, byId, clockTime, draw, input, make, milliseconds } from "/static/dom.js";
import { either, t } from "/static/i18n.js";
import { explainNode } from "/static/explain.js";
import { titles } from "/static/types.js";

const shownRecords = 100;
const tones = { shown: "good", silent: "good", failed: "bad", invalid: "bad", no_answer: "bad", pending: "warn" };
const words = (outcome) => t(outcome === "failed" ? "failedOutcome" : outcome);

let filter = "all", paused = false, newest = [];
const records = make("ol", "records", [], { id: "records" });
const pending = make("ol", "records pending", [], { id: "pending", "data-testid": "pending" });
const empty = make("p", "empty", t("empty"), { id: "empty" });
const search = input("records-search", { type: "search", placeholder: t("searchRecords"), "aria-label": t("searchRecords"), oninput: () => sift() });
const pauseButton = button(t("pause"), () => pause(!paused), "quiet", { "data-testid": "pause", "aria-pressed": "false" });

export function setUpInspector() {
  const filters = ["all", "pushes", "calls", "errors"].map((name) => button(t(name), () => {
    filter = name;
    for (const other of filters) other.setAttribute("aria-pressed", String(other.dataset.filter === name));
    sift();
  }, "", { "data-filter": name, "aria-pressed": String(name === "all") }));
  byId("inspector").append(
    make("div", "bar", [make("div", "filters", filters, { role: "group", "aria-label": t("filter") }), search, pauseButton]), empty, pending, records,
  );
}

function pause(on) {
  paused = on;
  pauseButton.textContent = t(on ? "resume" : "pause");
  pauseButton.setAttribute("aria-pressed", String(on));
  if (!on) show();
}

export async function readRecords() {
  const [{ pushes, pending: running }, { calls }] = await Promise.all([get("pushes?limit=" + shownRecords), get("calls?limit=" + shownRecords)]);
  newest = [
    ...pushes.filter((one) => one.account === account).map((one) => ({ ...one, build: pushNode })),
    ...calls.map((one) => ({ ...one, build: callNode })),
  ].sort((a, b) => b.id - a.id).slice(0, shownRecords);
  showPending((running || []).filter((one) => one.account === account));
  if (paused) pauseButton.textContent = t("resume") + " · " + newest.filter((one) => !records.querySelector(`[data-id="${one.id}"]`)).length + " " + t("newRecords");
  else show();
}

function show() {
  draw(records, newest, (one) => one.build(one), true);
  sift();
}

// sift hides what the filter and the search don't want.
function sift() {
  const wanted = search.value.trim().toLowerCase();
  let count = 0;
  for (const node of records.children) {
    const fits = (filter === "all" || (filter === "pushes" && node.classList.contains("push")) || (filter === "calls" && node.classList.contains("call")) ||
      (filter === "errors" && node.dataset.problem === "true")) && node.dataset.text.includes(wanted);
    node.hidden = !fits;
    if (fits) count++;
  }
  empty.hidden = count > 0 || pending.children.length > 0;
}

// --- what is under way

let running = [];

function showPending(list) {
  running = list;
  pending.replaceChildren(...list.map((push) => {
    const since = push.deliveries.length > 0 ? new Date(push.deliveries.at(-1).time).getTime() + push.deliveries.at(-1).duration_ms : new Date(push.time).getTime();
    const node = make("li", "record push", [make("div", "summary", [
      make("span", "kind", title(push).kind), make("span", "title", title(push).text),
      make("span", "badge warn", t("delivery", push.deliveries.length + 1)), make("span", "meta elapsed", ""),
    ]), timeBar(0, 5000, "running")]);
    node.dataset.since = since;
    return node;
  }));
  tick();
}

// tick moves the bars of what is under way.
function tick() {
  clearTimeout(tick.timer);
  for (const node of pending.children) {
    const elapsed = Math.max(Date.now() - Number(node.dataset.since), 0);
    node.querySelector(".elapsed").textContent = (elapsed / 1000).toFixed(1) + " s";
    node.querySelector(".fill").style.width = Math.min(elapsed / 50, 100) + "%";
  }
  if (running.length > 0) tick.timer = setTimeout(tick, 100);
}

function timeBar(took, limit, tone) {
  const fill = make("span", "fill " + tone);
  fill.style.width = Math.min(took / limit * 100, 100) + "%";
  return make("div", "timebar", [fill], { role: "img", "aria-label": milliseconds(took) + " " + t("ofLimit", Math.round(limit) + " ms") });
}

// --- pushes

function title(push) {
  const name = push.event ? "event:" + push.event : push.info_type ? "info:" + push.info_type : push.type;
  const known = titles.get(name);
  const content = /<Content><!\[CDATA\[([\s\S]*?)\]\]>/.exec(push.clear) || /"Content":"((?:[^"\\]|\\.)*)"/.exec(push.clear);
  const label = known ? either(known.title, known.title_en) : name;
  return push.type === "text" && content ? { kind: label, text: content[1] } : { kind: label, text: push.event || push.info_type || push.type };
}

// record is one line of the timeline, whose details are made when it is opened.
function record(className, parts, fill, problem, text) {
  const details = make("details", "", [make("summary", "", parts)]);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      const body = make("div", "body");
      fill(body);
      details.append(body);
    }
  });
  const node = make("li", "record " + className, [details]);
  node.dataset.problem = problem;
  node.dataset.text = text.toLowerCase();
  return node;
}

function pushNode(push) {
  const named = title(push);
  const node = record("push", [
    make("span", "kind", named.kind), make("span", "title", named.text),
    make("span", "badge attempts" + (push.deliveries.length > 1 ? " warn" : ""), push.deliveries.length === 1 ? t("oneDelivery") : push.deliveries.length + " " + t("deliveries")),
    make("span", "badge outcome " + tones[push.outcome], words(push.outcome)),
    make("span", "meta", milliseconds(push.duration_ms)), make("span", "meta time", clockTime(push.time)),
  ], (body) => {
    body.append(waterfall(push), block(t("document"), push.clear, "clear"));
    for (const delivery of push.deliveries) body.append(deliveryNode(push, delivery));
  }, push.outcome === "failed", JSON.stringify(push));
  node.dataset.outcome = push.outcome;
  node.dataset.attempts = push.deliveries.length;
  return node;
}

// waterfall shows the deliveries one after another, each against the time that it had.
function waterfall(push) {
  const start = new Date(push.time).getTime();
  const whole = Math.max(push.duration_ms, 1);
  return make("div", "waterfall", push.deliveries.map((delivery) => {
    const bar = make("span", "fill " + tones[delivery.verdict]);
    bar.style.marginLeft = Math.min((new Date(delivery.time).getTime() - start) / whole * 100, 99) + "%";
    bar.style.width = Math.max(delivery.duration_ms / whole * 100, 1) + "%";
    return make("div", "lane", [make("span", "meta", t("delivery", delivery.attempt)), make("div", "timebar", [bar])]);
  }));
}

function deliveryNode(push, delivery) {
  const head = make("header", "", [
    make("strong", "", t("delivery", delivery.attempt)), make("span", "badge " + tones[delivery.verdict], words(delivery.verdict)),
    make("span", "meta status", delivery.status ? "HTTP " + delivery.status : t("noResponse")),
    make("span", "meta", milliseconds(delivery.duration_ms) + " " + t("ofLimit", Math.round(delivery.timeout_ms) + " ms")), make("span", "meta", clockTime(delivery.time)),
  ]);
  const node = make("section", "delivery " + delivery.verdict, [
    head, timeBar(delivery.duration_ms, delivery.timeout_ms, tones[delivery.verdict]), make("div", "reason", either(delivery.reason_zh, delivery.reason)),
    block(t("requestURL"), "POST " + delivery.request_url, "request-url"), block(t("request"), delivery.request_body, "request"),
    block(t("response") + (delivery.content_type ? " · " + delivery.content_type : ""), delivery.response_body || t("emptyBody"), "response"),
  ], { "data-testid": "delivery", "data-attempt": delivery.attempt });
  if (delivery.opened) node.append(block(t("opened"), delivery.opened, "opened"));
  node.append(explainNode(push.id, delivery.attempt));
  return node;
}

// --- API calls

function callNode(one) {
  const fine = one.errcode === 0 && one.status === 200;
  const code = one.status === 0 ? t("dropped") : fine ? t("success") : String(one.errcode || "HTTP " + one.status);
  const node = record("call", [
    make("span", "kind", "API"), make("span", "title", one.method + " " + one.path),
    ...(one.generation ? [make("span", "badge gen", "#" + one.generation)] : []),
    ...(one.fault ? [make("span", "badge warn", t("injected"))] : []),
    make("span", "badge errcode " + (fine ? "good" : "bad"), code),
    make("span", "meta", milliseconds(one.duration_ms)), make("span", "meta time", clockTime(one.time)),
  ], (body) => {
    body.append(block(t("generation"), (one.account || "—") + " / " + (one.generation || "—"), "generation"));
    if (one.rid) body.append(block(t("rid"), one.rid, "rid"));
    if (one.query) body.append(block(t("query"), readable(one.query), "request-url"));
    if (one.request_body) body.append(block(t("callRequest"), one.request_body, "request"));
    if (one.response_body) body.append(block(t("callResponse"), one.response_body, "response"));
  }, !fine, JSON.stringify(one));
  node.dataset.errcode = one.errcode;
  return node;
}

function readable(query) {
  try { return decodeURIComponent(query); } catch { return query; }
}
