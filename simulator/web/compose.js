// The dialogue in which every type of message and event can be pushed: a form made of its fields, or a free document.
import { button, byId, input, labelled, make, select } from "/static/dom.js";
import { either, t } from "/static/i18n.js";
import { titles } from "/static/types.js";

const dialog = byId("compose");

// openCompose shows the dialogue; what is chosen goes to push.
export function openCompose(push) {
  const list = make("div", "types", [], { "data-testid": "types" });
  const form = make("form", "type-form", [], { method: "dialog" });
  const search = input("search", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: () => fill() });
  const entries = [...titles.values()].filter((one) => one.kind !== "notice");
  const fill = () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = entries.filter((one) => [one.name, one.title, one.title_en].some((text) => text.toLowerCase().includes(wanted)));
    list.replaceChildren(...grouped(shown, (one) => showForm(form, one, push)));
    if (shown.length === 0) list.append(make("p", "empty", t("noMatch")));
  };
  fill();
  showFree(form, push);
  dialog.replaceChildren(
    make("header", "", [make("h2", "", t("composeTitle"), { id: "compose-title" }), button("✕", () => dialog.close(), "quiet", { "aria-label": t("close") })]),
    make("div", "compose-body", [
      make("div", "choose", [search, button(t("free"), () => showFree(form, push), "type", { "data-type": "free" }), list]), form,
    ]),
  );
  dialog.showModal();
  search.focus();
}

// grouped lists entries under the titles of their groups.
function grouped(entries, choose) {
  const nodes = [];
  let group = "";
  for (const one of entries) {
    if (one.group !== group) nodes.push(make("h3", "", either(one.group, one.group_en)));
    group = one.group;
    nodes.push(button(either(one.title, one.title_en), () => choose(one), "type", { "data-type": one.name, title: one.name }));
  }
  return nodes;
}

// common are the controls that every form has.
function common() {
  return make("div", "row", [
    labelled(t("pushMode"), select("mode", [["", t("asAccount")], ["plain", t("plain")], ["compatible", t("compatible")], ["safe", t("safe")]])),
    labelled(t("pushFormat"), select("format", [["", t("asAccount")], ["xml", "XML"], ["json", "JSON"]])),
  ]);
}

function finish(form, title, nodes, read, push) {
  form.replaceChildren(make("h3", "", title), ...nodes, common(), make("button", "primary", t("push"), { "data-testid": "compose-push" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    dialog.close();
    push({ ...read(), mode: form.elements.mode.value, format: form.elements.format.value });
  };
}

function showForm(form, entry, push) {
  const fields = entry.fields.map((field) => labelled(field.path, input(field.path, {
    value: /MediaId|^PicUrl$|^ThumbUrl$/.test(field.path) ? "" : field.sample, placeholder: field.sample, inputMode: field.number ? "decimal" : "text",
  })));
  finish(form, either(entry.title, entry.title_en) + " · " + entry.name, fields, () => {
    const values = {};
    for (const field of entry.fields) {
      const value = form.elements[field.path].value;
      if (value !== "") values[field.path] = value;
    }
    return { type: entry.msg_type, event: entry.event || "", content: values.Content || "", fields: values };
  }, push);
  const first = form.querySelector("input");
  if (first) first.focus();
}

function showFree(form, push) {
  const text = make("textarea", "free", "", { name: "document", rows: 12, required: true, placeholder: "<xml><FromUserName>…</FromUserName>…</xml>", "aria-label": t("free") });
  finish(form, t("free"), [make("p", "hint", t("freeHint")), text], () => ({ xml: text.value }), push);
}
