// How the signatures and the encryption of a delivery come about, step by step.
import { get } from "/static/api.js";
import { attempt, button, make } from "/static/dom.js";
import { either, t } from "/static/i18n.js";

export function explainNode(pushID, delivery) {
  const steps = make("div", "explained", [], { "data-testid": "explained" });
  const reveal = make("input", "", undefined, { type: "checkbox", onchange: () => read() });
  const read = () => attempt(async () => {
    const path = `pushes/${pushID}/explain?attempt=${delivery}` + (reveal.checked ? "&reveal=true" : "");
    steps.replaceChildren(make("label", "reveal", [reveal, make("span", "", t("reveal"))]), ...partNodes((await get(path)).steps));
  });
  const opener = button(t("explain"), () => {
    const open = steps.children.length === 0;
    opener.setAttribute("aria-expanded", String(open));
    if (open) read(); else steps.replaceChildren();
  }, "quiet explain", { "data-testid": "explain", "aria-expanded": "false" });
  return make("div", "", [opener, steps]);
}

function partNodes(steps) {
  const nodes = [];
  let list = null;
  for (const step of steps) {
    if (!list || list.dataset.part !== step.part) {
      list = make("ol", "steps", [], { "data-part": step.part });
      nodes.push(make("h3", "", t(step.part)), list);
    }
    list.append(make("li", step.ok ? "" : "bad", [make("span", "", (step.ok ? "✓ " : "✗ ") + either(step.title, step.title_en)), make("pre", "", step.value)]));
  }
  return nodes;
}
