// Load runs: many messages, and what became of them.
import { account, call, get, post } from "/static/api.js";
import { attempt, button, byId, input, labelled, make, milliseconds, select } from "/static/dom.js";
import { either, t } from "/static/i18n.js";

export function setUpLoad() {
  const number = (name, properties) => input(name, { type: "number", min: 0, step: "any", ...properties });
  const form = make("form", "grid", [
    labelled(t("rate"), number("rate", { placeholder: "—" })), labelled(t("concurrency"), number("concurrency", { value: 8 })),
    labelled(t("total"), number("count", { value: 100 })), labelled(t("seconds"), number("duration", { placeholder: "—" })),
    labelled(t("followers"), number("followers", { value: 20 })), labelled(t("think"), number("interval_ms", { value: 0 })),
    labelled(t("mix"), input("mix", { value: "text=8,image=1,event:CLICK:MENU_HELP=1" }), "wide"), labelled(t("message"), input("content", { value: "压测" })),
    labelled(t("expect"), select("expect", [["any", t("expectAny")], ["reply", t("expectReply")], ["echo", t("expectEcho")]])),
    labelled(t("repeat"), number("repeat", { max: 1, value: 0 })), labelled(t("settle"), number("settle", { value: 2 })),
    make("div", "wide buttons", [make("button", "primary", t("startLoad"), { "data-testid": "start-load" }),
      button(t("stopLoad"), () => attempt(() => call("DELETE", "load")), "", { "data-testid": "stop-load" })]),
  ], { id: "load-form" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => post("load", read(form.elements)));
  });
  byId("load-panel").append(form, make("p", "hidden-text", "", { id: "load-said", role: "status" }), make("div", "report", [], { id: "load-report", "data-testid": "load-report" }));
}

function read(fields) {
  const value = (name) => Number(fields[name].value || 0);
  return {
    account, reuse_connections: true, rate: value("rate"), concurrency: Math.round(value("concurrency")), count: Math.round(value("count")),
    duration_ms: Math.round(value("duration") * 1000), followers: Math.round(value("followers")), interval_ms: Math.round(value("interval_ms")),
    expect: fields.expect.value, repeat: value("repeat"), settle_ms: Math.round(value("settle") * 1000), mix: fields.mix.value, content: fields.content.value,
  };
}

export async function readLoad() {
  const progress = await get("load");
  say(progress);
  byId("load-report").replaceChildren(...(progress.id ? reportNodes(progress) : []));
}

// say tells a screen reader of the beginning and the end, not of every figure between.
function say({ id, running }) {
  const state = id ? t(running ? "running" : "finished") : "";
  if (byId("load-said").textContent !== state) byId("load-said").textContent = state;
}

function reportNodes({ running, error, summary }) {
  const problems = { failedCount: summary.failed, lost: summary.lost, duplicates: summary.duplicates, wrong: summary.wrong, inconsistent: summary.inconsistent, notSent: summary.not_sent };
  const healthy = Object.values(problems).every((count) => count === 0);
  const figure = (name, value) => make("div", "figure", [make("strong", "", String(value)), make("span", "", t(name))]);
  const nodes = [
    make("p", "state", [make("span", "badge " + (running ? "warn" : healthy && !error ? "good" : "bad"), running ? t("running") : t("finished") + " · " + t(healthy && !error ? "healthy" : "unhealthy"))], { "data-testid": "load-state" }),
    make("div", "figures", [figure("sent", summary.sent), figure("answered", summary.answered), figure("perSecond", Math.round(summary.per_second)), figure("late", summary.late), figure("notices", summary.notices)]),
    make("div", "figures", ["p50", "p95", "p99", "max"].map((name) => make("div", "figure", [make("strong", "", milliseconds(summary.latency[name + "_ms"])), make("span", "", name)]))),
    make("div", "figures problems", Object.entries(problems).map(([name, count]) => {
      const node = figure(name, count);
      node.classList.add(count === 0 ? "good" : "bad");
      node.dataset.problem = name;
      return node;
    })),
    make("p", "meta", t("attempts") + t("colon") + (Object.entries(summary.attempts).map(([count, messages]) => `${count} → ${messages}`).join(t("comma")) || "—")),
    make("p", "meta", Object.entries(summary.by_type).map(([name, tally]) => `${name} ${tally.answered}/${tally.sent}`).join(" · ")),
  ];
  if (error) nodes.push(make("p", "bad", error));
  if (summary.late_starts > 0) nodes.push(make("p", "bad", summary.late_starts + " " + t("lateStarts")));
  if (summary.findings.length > 0) {
    nodes.push(make("h3", "", t("findings")), make("ol", "findings", summary.findings.map((one) =>
      make("li", "", [make("span", "badge bad", t(one.kind === "failed" ? "failedCount" : one.kind)), make("code", "", "#" + one.number + " " + (one.content || "")), make("span", "", either(one.reason_zh, one.reason))]))));
  }
  return nodes;
}
