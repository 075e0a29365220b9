// Small helpers for building the page. Text is always set as text, never as markup.
import { t } from "/static/i18n.js";

export const byId = (id) => document.getElementById(id);

// make builds an element: its class, its text or children, and its properties.
export function make(tag, className, content, properties) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (Array.isArray(content)) node.append(...content);
  else if (content !== undefined && content !== null) node.textContent = content;
  for (const [name, value] of Object.entries(properties || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list") node[name] = value; // The property list can't be set.
    else node.setAttribute(name, value);
  }
  return node;
}

export function button(text, onclick, className, properties) {
  return make("button", className, text, { type: "button", onclick, ...properties });
}

// labelled wraps a control in its label.
export function labelled(text, control, className) {
  return make("label", "field " + (className || ""), [make("span", "", text), control]);
}

export function input(name, properties) {
  return make("input", "", undefined, { name, autocomplete: "off", ...properties });
}

export function select(name, options, properties) {
  const node = make("select", "", undefined, { name, ...properties });
  for (const [value, text] of options) node.append(make("option", "", text, { value }));
  return node;
}

export function toast(text) {
  const node = byId("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { node.hidden = true; }, 6000);
}

// attempt runs what a control does, and says what went wrong.
export async function attempt(work, done) {
  try {
    const value = await work();
    if (done) toast(typeof done === "function" ? done(value) : done);
    return value;
  } catch (error) {
    toast(t("failed") + error.message);
    return undefined;
  }
}

// copyButton copies a text.
export function copyButton(text) {
  return button(t("copy"), () => attempt(() => copy(text), t("copied")), "quiet copy");
}

// copy also works over plain HTTP from another machine, such as a phone, where browsers give no clipboard.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const focused = document.activeElement;
  const area = make("textarea", "hidden-text", undefined, { value: text, readOnly: true, "aria-hidden": "true" });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!copied) throw new Error(t("cannotCopy"));
}

// block is a titled text with a button that copies it.
export function block(title, text, className) {
  return make("div", "block", [
    make("div", "block-head", [make("h3", "", title), copyButton(text)]), make("pre", className, pretty(text)),
  ]);
}

// pretty indents JSON and XML for reading.
export function pretty(text) {
  const trimmed = text.trim();
  if (/^[{[]/.test(trimmed)) {
    try { return JSON.stringify(JSON.parse(trimmed), null, 2); } catch { return text; }
  }
  return trimmed.startsWith("<") ? prettyXML(trimmed) : text;
}

function prettyXML(text) {
  const tokens = text.match(/<!\[CDATA\[[\s\S]*?\]\]>|<[^>]+>|[^<]+/g) || [];
  let depth = 0, out = "", afterOpen = false;
  for (const token of tokens) {
    if (token.startsWith("</")) {
      depth = Math.max(0, depth - 1);
      out += afterOpen ? token : "\n" + "  ".repeat(depth) + token;
      afterOpen = false;
    } else if (token.startsWith("<") && !token.startsWith("<![CDATA[")) {
      out += (out ? "\n" : "") + "  ".repeat(depth) + token;
      if (!token.endsWith("/>") && !token.startsWith("<?")) depth++;
      afterOpen = !token.endsWith("/>");
    } else if (token.trim() !== "") {
      out += token;
    }
  }
  return out;
}

// draw keeps what is drawn already, so that open records stay open.
export function draw(list, values, build, newestFirst) {
  const wanted = new Set(values.map((value) => String(value.id)));
  for (const node of [...list.children]) if (!wanted.has(node.dataset.id)) node.remove();
  const known = new Set([...list.children].map((node) => node.dataset.id));
  const added = values.filter((value) => !known.has(String(value.id)));
  for (const value of added) {
    const node = build(value);
    node.dataset.id = value.id;
    list.append(node);
  }
  if (newestFirst && added.length > 0) {
    list.append(...[...list.children].sort((a, b) => Number(b.dataset.id) - Number(a.dataset.id)));
  }
  return added.length > 0;
}

export const clockTime = (text) => new Date(text).toLocaleTimeString(document.documentElement.lang, { hour12: false });
export const milliseconds = (value) => value >= 100 ? Math.round(value) + " ms" : value.toFixed(1) + " ms";
