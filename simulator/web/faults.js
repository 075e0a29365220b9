// What goes wrong with the platform's API.
import { call, get, post } from "/static/api.js";
import { attempt, button, byId, input, labelled, make, select } from "/static/dom.js";
import { t } from "/static/i18n.js";

const paths = ["*", "/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/ticket/getticket", "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send",
  "/cgi-bin/media/upload", "/cgi-bin/media/get", "/cgi-bin/menu/create", "/cgi-bin/user/info", "/cgi-bin/getcallbackip"];

export function setUpFaults() {
  const number = (name, properties) => input(name, { type: "number", min: 0, value: "", ...properties });
  const form = make("form", "grid", [
    labelled(t("path"), input("path", { value: "*", required: true, list: "fault-paths" }), "wide"),
    labelled(t("latency"), number("latency_ms")), labelled(t("errcode"), input("errcode", { inputMode: "numeric", pattern: "-?[0-9]*" })),
    labelled(t("httpStatus"), number("http_status", { max: 599 })),
    labelled(t("drop"), select("drop", [["", t("dropNone")], ["before", t("dropBefore")], ["after", t("dropAfter")]])),
    labelled(t("contentType"), input("content_type", { placeholder: "text/html" })),
    labelled(t("count") + t("inBrackets", t("countHint")), number("count", { value: 1 })), labelled(t("probability"), number("probability", { max: 1, step: "any" })),
    labelled(t("busy"), make("input", "", undefined, { type: "checkbox", name: "busy" }), "check"),
    labelled(t("partial"), make("input", "", undefined, { type: "checkbox", name: "partial" }), "check"),
    make("div", "wide buttons", [make("button", "primary", t("addFault"), { "data-testid": "add-fault" }),
      button(t("clearFaults"), () => attempt(() => call("DELETE", "faults"), t("faultsCleared")), "", { "data-testid": "clear-faults" })]),
  ], { id: "fault-form" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => post("faults", read(form.elements)), t("faultAdded"));
  });
  byId("faults-panel").append(form, make("datalist", "", paths.map((path) => make("option", "", undefined, { value: path })), { id: "fault-paths" }), make("ul", "list", [], { id: "fault-list", "data-testid": "fault-list" }));
}

function read(fields) {
  const fault = { path: fields.path.value.trim(), drop: fields.drop.value, content_type: fields.content_type.value.trim(), busy: fields.busy.checked, partial: fields.partial.checked };
  for (const name of ["latency_ms", "errcode", "http_status", "count", "probability"]) fault[name] = Number(fields[name].value || 0);
  return fault;
}

export async function readFaults() {
  const { faults } = await get("faults");
  const nodes = faults.map((fault) => make("li", "", [make("code", "", fault.path), make("span", "", describe(fault))]));
  byId("fault-list").replaceChildren(...(nodes.length > 0 ? nodes : [make("li", "empty", t("noFaults"))]));
}

function describe(fault) {
  const parts = [];
  if (fault.latency_ms) parts.push(t("latency") + " " + fault.latency_ms);
  if (fault.errcode) parts.push(t("errcode") + " " + fault.errcode);
  if (fault.http_status) parts.push(t("httpStatus") + " " + fault.http_status);
  if (fault.drop) parts.push(t("drop") + t("colon") + t(fault.drop === "before" ? "dropBefore" : "dropAfter"));
  if (fault.content_type) parts.push(fault.content_type);
  if (fault.partial) parts.push(t("partial"));
  if (fault.probability) parts.push(t("probability") + " " + fault.probability);
  if (fault.count) parts.push("× " + fault.count);
  return parts.join(" · ");
}
