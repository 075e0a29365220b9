// The console: configuration, examination, clock, and the rest of the levers.
import { account, get, post } from "/static/api.js";
import { attempt, button, byId, input, labelled, make, select } from "/static/dom.js";
import { either, t } from "/static/i18n.js";

const conditions = ["40243", "48001", "48004", "50002", "50004", "50007", "89503"];

export function setUpPlatform() {
  byId("platform-panel").append(configuration(), examination(), clock(), others(),
    make("div", "card danger", [button(t("reset"), () => { if (confirm(t("resetConfirm"))) attempt(() => post("reset"), t("resetDone")); }, "danger", { id: "reset", "data-testid": "reset" })]));
}

function card(title, hint, children) {
  return make("section", "card", [make("h3", "", title), ...(hint ? [make("p", "hint", hint)] : []), ...children]);
}

// form calls send with its fields when it is submitted.
function form(children, send, done, id) {
  const node = make("form", "grid", children, id ? { id } : {});
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => send(node.elements), done);
  });
  return node;
}

function configuration() {
  const secret = (name) => input(name, { type: "password", placeholder: t("unchanged"), autocomplete: "new-password" });
  return card(t("configuration"), "", [form([
    labelled(t("appID"), input("app_id", { value: account, required: true })), labelled(t("originalID"), input("original_id", { placeholder: t("unchanged") })),
    labelled(t("callbackURL"), input("callback_url", { type: "url", placeholder: "http://host/wx" }), "wide"),
    labelled(t("token"), secret("callback_token")), labelled(t("aesKey"), secret("encoding_aes_key")), labelled(t("appSecret"), secret("app_secret")),
    labelled(t("pushMode"), select("mode", [["plain", t("plain")], ["compatible", t("compatible")], ["safe", t("safe")]])),
    labelled(t("pushFormat"), select("format", [["xml", "XML"], ["json", "JSON"]])),
    make("div", "wide buttons", [make("button", "primary", t("save"), { "data-testid": "save-account" })]),
  ], async (fields) => {
    const settings = {};
    for (const name of ["app_id", "original_id", "callback_url", "callback_token", "encoding_aes_key", "app_secret", "mode", "format"]) {
      if (fields[name].value !== "") settings[name] = fields[name].value;
    }
    await post("accounts", settings);
    if (settings.app_id !== account) location.search = "?" + new URLSearchParams({ account: settings.app_id });
  }, t("saved"), "account-form")]);
}

function examination() {
  const list = make("ul", "checks", [], { "data-testid": "checks", "aria-live": "polite" });
  const examine = (body) => attempt(async () => {
    list.replaceChildren(make("li", "", t("examining")));
    const { findings } = await post("examine", { account, ...body });
    list.replaceChildren(...findings.map((one) => make("li", one.severity, [
      make("strong", "", { ok: "✓ ", note: "! ", problem: "✗ " }[one.severity] + either(one.text, one.text_en)),
      ...(one.remedy ? [make("span", "", "→ " + either(one.remedy, one.remedy_en))] : []),
    ])));
  });
  return card(t("examine"), t("examineHint"), [make("div", "buttons", [
    button(t("examine"), () => examine({}), "primary", { id: "examine", "data-testid": "examine" }),
    button(t("verifyURL"), () => examine({ get_only: true }), "", { id: "verify", "data-testid": "verify" }),
  ]), list]);
}

function clock() {
  const advance = (seconds) => attempt(() => post("clock/advance", { seconds }), ({ now }) => t("now") + " " + new Date(now).toLocaleString(document.documentElement.lang));
  const steps = [["+5 min", 300], ["+1 h", 3600], ["+2 h", 7200], ["+1 d", 86400]];
  const custom = form([labelled(t("custom_seconds"), input("seconds", { type: "number", min: 1, required: true })), make("div", "buttons", [make("button", "", t("advance"))])],
    (fields) => advance(Number(fields.seconds.value)));
  return card(t("clock"), t("clockHint"), [make("div", "buttons", steps.map(([text, seconds]) => button(text, () => advance(seconds), "", { "data-seconds": seconds }))), custom]);
}

function others() {
  return make("div", "cards", [
    card(t("scan"), "", [form([labelled(t("ticket"), input("ticket", { required: true })), labelled(t("openID"), input("from", {})), make("div", "buttons", [make("button", "", t("scan"))])],
      (fields) => post("scan", { ticket: fields.ticket.value.trim(), from: fields.from.value.trim() }), t("scanned"))]),
    card(t("ipAllowList"), t("ipHint"), [form([labelled(t("ipAllowList"), input("addresses", { placeholder: "203.0.113.1, 10.0.0.0/8" })), make("div", "buttons", [make("button", "", t("save"))])],
      (fields) => post("accounts/ip_allow_list", { account, addresses: fields.addresses.value.split(",").map((one) => one.trim()).filter(Boolean) }), t("saved"))]),
    card(t("condition"), "", [form([labelled(t("condition"), select("errcode", [["0", t("conditionNone")], ...conditions.map((code) => [code, code])])), make("div", "buttons", [make("button", "", t("save"))])],
      async (fields) => {
        await post("accounts/condition", { account });
        if (fields.errcode.value !== "0") await post("accounts/condition", { account, errcode: Number(fields.errcode.value) });
      }, t("saved"))]),
    card(t("quota"), "", [form([labelled(t("path"), input("path", { required: true, list: "fault-paths" })), labelled(t("dailyLimit"), input("daily_limit", { type: "number", min: 0, required: true })), make("div", "buttons", [make("button", "", t("save"))])],
      (fields) => post("quotas", { account, path: fields.path.value.trim(), daily_limit: Number(fields.daily_limit.value) }), t("saved"))]),
  ]);
}

// readAccount shows how the account is configured.
export async function readAccount() {
  const { accounts } = await get("accounts");
  const mine = accounts.find((one) => one.app_id === account);
  byId("callback").textContent = mine.callback_url || t("unset");
  byId("mode").textContent = t(mine.mode) + (mine.format === "json" ? " · JSON" : "");
  const chooser = byId("account-select");
  for (const one of accounts) {
    if (![...chooser.options].some((option) => option.value === one.app_id)) chooser.append(make("option", "", one.app_id, { value: one.app_id }));
  }
  const fields = byId("account-form").elements;
  if (document.activeElement?.form !== byId("account-form")) {
    fields.callback_url.value = mine.callback_url;
    fields.original_id.value = mine.original_id;
    fields.mode.value = mine.mode;
    fields.format.value = mine.format;
  }
}
