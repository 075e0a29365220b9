"use strict";

// The page reads the newest state whenever the platform says that something
// changed. Records and chat lines never change, so each is drawn once.

const account = document.body.dataset.account;
const follower = document.body.dataset.follower;
const shownRecords = 100;
const $ = (id) => document.getElementById(id);

const words = {
  shown: "已回复", silent: "无需显示", failed: "服务故障", invalid: "回复无效", no_answer: "没有应答",
  text: "文本", image: "图片", event: "事件",
  subscribe: "关注了公众号", unsubscribe: "取消了关注", SCAN: "扫描了二维码", CLICK: "点击了菜单", VIEW: "打开了链接", LOCATION: "上报了位置",
};
const channels = { custom: "客服消息", template: "模板消息", mass: "群发" };
const tones = { shown: "good", silent: "good", failed: "bad", invalid: "bad", no_answer: "bad" };

// make builds an element; text is always set as text, never as markup.
function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, 5000);
}

async function call(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch("/sim/v1/" + path, options);
  const value = await response.json();
  if (!response.ok) throw new Error(value.error || "HTTP " + response.status);
  return value;
}

// --- what the follower does

let waiting = 0;

async function push(what) {
  waiting++;
  $("waiting").hidden = false;
  try {
    await call("POST", "push", { account, from: follower, ...what });
  } catch (error) {
    toast("发送失败：" + error.message);
  } finally {
    waiting--;
    $("waiting").hidden = waiting === 0;
  }
}

function sendText(content, menuEntryID) {
  if (content.trim() !== "") push({ type: "text", content, menu_entry_id: menuEntryID || "" });
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = $("message-input");
  sendText(input.value);
  input.value = "";
  input.focus();
});

$("picture").addEventListener("change", (event) => {
  const file = event.target.files[0];
  event.target.value = "";
  if (!file) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => push({ type: "image", media: { data: reader.result.split(",")[1] } }));
  reader.addEventListener("error", () => toast("图片无法读取"));
  reader.readAsDataURL(file);
});

$("follow").addEventListener("click", () => push({ type: "event", event: "subscribe" }));
$("unfollow").addEventListener("click", () => push({ type: "event", event: "unsubscribe" }));

// --- the platform's levers

function lever(id, path, body, done) {
  $(id).addEventListener("click", async () => {
    try {
      toast(done(await call("POST", path, body)));
    } catch (error) {
      toast("操作失败：" + error.message);
    }
  });
}

lever("verify", "verify", { account }, (result) => result.ok ? "URL 验证成功" : "URL 验证失败：" + result.reason);
lever("rotate", "tokens/rotate", { account }, () => "令牌已被顶替，旧令牌立即失效（40001）");
lever("expire", "tokens/expire", { account }, () => "令牌已过期（42001）");
lever("reset", "reset", {}, () => "已清空");

// --- the chat

// Text of an account may hold links; everything else in it is text.
function richText(node, text) {
  const link = /<a\s[^>]*?href=(["'])(.*?)\1[^>]*>([\s\S]*?)<\/a>/gi;
  let position = 0;
  for (const match of text.matchAll(link)) {
    node.append(text.slice(position, match.index));
    node.append(linkNode(match[2], match[3]));
    position = match.index + match[0].length;
  }
  node.append(text.slice(position));
}

function linkNode(target, label) {
  if (/^https?:\/\//i.test(target)) {
    const anchor = make("a", "", label);
    anchor.href = target;
    anchor.target = "_blank";
    anchor.rel = "noopener noreferrer";
    return anchor;
  }
  const tap = /^weixin:\/\/bizmsgmenu\?(.*)$/i.exec(target);
  if (!tap) return document.createTextNode(label);
  const asked = new URLSearchParams(tap[1]);
  return tapNode(label, asked.get("msgmenucontent") || label, asked.get("msgmenuid"));
}

// tapNode is an entry that sends a text with its id when it is tapped.
function tapNode(label, content, id) {
  const button = make("button", "tap", label);
  button.type = "button";
  button.addEventListener("click", () => sendText(content, id));
  return button;
}

// choicesNode is a menu message whose entries, the lines that begin with a dot, can be tapped.
function choicesNode(line) {
  const node = make("div", "choices");
  let next = 0;
  for (const text of line.text.split("\n")) {
    const choice = line.choices[next];
    if (choice && text === "· " + choice.text) {
      node.append(tapNode(choice.text, choice.text, choice.id));
      next++;
    } else {
      node.append(make("p", "", text));
    }
  }
  return node;
}

function articleNode(article) {
  const node = article.url && /^https?:\/\//i.test(article.url) ? make("a", "article") : make("div", "article");
  if (node.tagName === "A") {
    node.href = article.url;
    node.target = "_blank";
    node.rel = "noopener noreferrer";
  }
  if (article.pic_url) {
    const picture = make("img");
    picture.src = article.pic_url;
    picture.alt = "";
    picture.addEventListener("error", () => picture.remove());
    node.append(picture);
  }
  node.append(make("strong", "", article.title), make("span", "", article.description || ""));
  return node;
}

function chatNode(line) {
  if (line.side === "notice") return make("li", "notice", line.text);
  if (line.side === "event") {
    const detail = line.text ? "（" + line.text + "）" : "";
    return make("li", "event", "你" + (words[line.type] || line.type) + detail);
  }
  const node = make("li", "bubble " + line.side);
  if (line.type === "image" && line.media_id) {
    const picture = make("img", "picture");
    picture.src = "/sim/v1/media/" + encodeURIComponent(line.media_id);
    picture.alt = "图片";
    picture.addEventListener("load", scrollDown);
    node.append(picture);
    node.classList.add("picture-only");
  } else if (line.media_id) {
    node.append("[" + line.type + "] " + (line.text || line.media_id));
  } else if (line.choices) {
    node.append(choicesNode(line));
  } else if (line.side === "account") {
    richText(node, line.text || "");
  } else {
    node.append(line.text || "");
  }
  for (const article of line.articles || []) node.append(articleNode(article));
  if (channels[line.channel]) node.append(make("span", "via", channels[line.channel]));
  return node;
}

function scrollDown() {
  $("chat").scrollTop = $("chat").scrollHeight;
}

async function readChat() {
  const { chat } = await call("GET", "followers/" + encodeURIComponent(follower) + "/chat");
  draw($("chat"), chat, chatNode);
  const { followers } = await call("GET", "followers");
  const me = followers.find((one) => one.openid === follower && one.account === account);
  document.querySelector(".phone").classList.toggle("following", !me || me.following);
}

// draw keeps what is drawn already, so that open records stay open.
function draw(list, values, build, newestFirst) {
  const wanted = new Set(values.map((value) => String(value.id)));
  for (const node of [...list.children]) if (!wanted.has(node.dataset.id)) node.remove();
  const known = new Set([...list.children].map((node) => node.dataset.id));
  const added = values.filter((value) => !known.has(String(value.id)));
  if (added.length === 0) return;
  const nodes = added.map((value) => {
    const node = build(value);
    node.dataset.id = value.id;
    return node;
  });
  if (newestFirst) {
    list.append(...nodes);
    list.append(...[...list.children].sort((a, b) => Number(b.dataset.id) - Number(a.dataset.id)));
  } else {
    list.append(...nodes);
    scrollDown();
  }
}

// --- the menu

function menuButton(entry, testid) {
  const button = make("button", "menu-entry", entry.name);
  button.type = "button";
  button.dataset.testid = testid;
  if (entry.key) button.dataset.key = entry.key;
  return button;
}

function act(entry) {
  if (entry.type === "click") return push({ type: "event", event: "CLICK", event_key: entry.key });
  if (entry.type === "view") return push({ type: "event", event: "VIEW", event_key: entry.url });
  return toast("模拟器不支持这种菜单：" + entry.type);
}

async function readMenu() {
  const menu = await call("GET", "menu?account=" + encodeURIComponent(account) + "&from=" + encodeURIComponent(follower));
  const items = menu.button.map((entry) => {
    const item = make("div", "menu-item");
    const top = menuButton(entry, "menu-entry");
    item.append(top);
    if (!entry.sub_button || entry.sub_button.length === 0) {
      top.addEventListener("click", () => act(entry));
      return item;
    }
    const list = make("div", "submenu");
    list.hidden = true;
    top.setAttribute("aria-expanded", "false");
    top.prepend("≡ ");
    top.addEventListener("click", () => {
      list.hidden = !list.hidden;
      top.setAttribute("aria-expanded", String(!list.hidden));
    });
    for (const sub of entry.sub_button) {
      const button = menuButton(sub, "submenu-entry");
      button.addEventListener("click", () => { list.hidden = true; act(sub); });
      list.append(button);
    }
    item.append(list);
    return item;
  });
  $("menu").replaceChildren(...items);
  $("menu").hidden = items.length === 0;
}

// --- the inspector

function pretty(text) {
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

function block(parent, title, text, className) {
  if (!text) return;
  parent.append(make("h3", "", title), make("pre", className, pretty(text)));
}

const clockTime = (text) => new Date(text).toLocaleTimeString("zh-CN", { hour12: false });
const milliseconds = (value) => value >= 100 ? Math.round(value) + " ms" : value.toFixed(1) + " ms";

function record(className, parts, fill) {
  const node = make("li", "record " + className);
  const details = make("details");
  const summary = make("summary");
  summary.append(...parts);
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      const body = make("div", "body");
      fill(body);
      details.append(body);
    }
  });
  node.append(details);
  return node;
}

function pushNode(push) {
  const title = push.event ? words[push.event] || push.event : (/<Content><!\[CDATA\[([\s\S]*?)\]\]>/.exec(push.clear) || ["", "[图片]"])[1];
  const node = record("push", [
    make("span", "kind", words[push.type] || push.type), make("span", "title", title),
    make("span", "badge attempts" + (push.deliveries.length > 1 ? " warn" : ""), push.deliveries.length + " 次推送"),
    make("span", "badge outcome " + (tones[push.outcome] || ""), words[push.outcome] || push.outcome),
    make("span", "meta", milliseconds(push.duration_ms)), make("span", "meta time", clockTime(push.time)),
  ], (body) => {
    block(body, "推送内容（明文）", push.clear, "clear");
    for (const delivery of push.deliveries) body.append(deliveryNode(delivery));
  });
  node.dataset.outcome = push.outcome;
  node.dataset.attempts = push.deliveries.length;
  return node;
}

function deliveryNode(delivery) {
  const node = make("section", "delivery " + delivery.verdict);
  node.dataset.testid = "delivery";
  node.dataset.attempt = delivery.attempt;
  const head = make("header");
  head.append(
    make("strong", "", "第 " + delivery.attempt + " 次"),
    make("span", "badge " + (tones[delivery.verdict] || ""), words[delivery.verdict] || delivery.verdict),
    make("span", "meta status", delivery.status ? "HTTP " + delivery.status : "无响应"),
    make("span", "meta", milliseconds(delivery.duration_ms)), make("span", "meta", clockTime(delivery.time)),
  );
  node.append(head, make("div", "reason", delivery.reason));
  block(node, "请求 URL", "POST " + delivery.request_url, "request-url");
  block(node, "原始请求", delivery.request_body, "request");
  block(node, "原始响应", delivery.response_body || "（空）", "response");
  block(node, "响应解密后", delivery.opened, "opened");
  return node;
}

function callNode(one) {
  const code = one.status === 0 ? "断开" : one.errcode === 0 && one.status === 200 ? "成功" : String(one.errcode || "HTTP " + one.status);
  const node = record("call", [
    make("span", "kind", "API"), make("span", "title", one.method + " " + one.path),
    ...(one.fault ? [make("span", "badge warn", "故障注入")] : []),
    make("span", "badge errcode " + (code === "成功" ? "good" : "bad"), code),
    make("span", "meta", milliseconds(one.duration_ms)), make("span", "meta time", clockTime(one.time)),
  ], (body) => {
    block(body, "账号 / 令牌代次", (one.account || "—") + " / " + (one.generation || "—"));
    block(body, "查询参数", decodeURIComponent(one.query || ""), "request-url");
    block(body, "请求", one.request_body, "request");
    block(body, "响应", one.response_body, "response");
  });
  node.dataset.errcode = one.errcode;
  return node;
}

async function readRecords() {
  const [{ pushes }, { calls }] = await Promise.all([
    call("GET", "pushes?limit=" + shownRecords), call("GET", "calls?limit=" + shownRecords),
  ]);
  const all = [
    ...pushes.filter((one) => one.account === account).map((one) => ({ ...one, draw: pushNode })),
    ...calls.map((one) => ({ ...one, draw: callNode })),
  ].sort((a, b) => b.id - a.id).slice(0, shownRecords);
  draw($("records"), all, (one) => one.draw(one), true);
  $("empty").hidden = all.length > 0;
}

async function readState() {
  const [{ accounts }, tokens] = await Promise.all([
    call("GET", "accounts"), call("GET", "tokens?account=" + encodeURIComponent(account)), readMenu(),
  ]);
  const mine = accounts.find((one) => one.app_id === account);
  $("callback").textContent = mine.callback_url || "未设置";
  $("mode").textContent = { plain: "明文模式", safe: "安全模式" }[mine.mode] || "兼容模式";
  const { fetches, tokens: list } = tokens.accounts[0];
  const live = list.filter((one) => one.errcode === 0).map((one) => `第 ${one.generation} 代（剩 ${one.expires_in} 秒）`);
  $("tokens").textContent = `令牌：已签发 ${fetches.issued} 个，获取 ${fetches.classic + fetches.stable} 次，` +
    `其中强制刷新 ${fetches.forced} 次；有效：${live.join("、") || "无"}`;
}

for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    $("records").dataset.filter = tab.dataset.filter;
    for (const other of document.querySelectorAll(".tabs button")) other.setAttribute("aria-pressed", String(other === tab));
  });
}

// --- live

const readers = { chat: readChat, pushes: readRecords, calls: readRecords, state: readState };

function refresh(topics) {
  for (const read of new Set(topics.map((topic) => readers[topic]).filter(Boolean))) {
    read().catch((error) => toast("读取失败：" + error.message));
  }
}

const stream = new EventSource("/sim/v1/events");
stream.addEventListener("open", () => $("connection").classList.add("live"));
stream.addEventListener("error", () => $("connection").classList.remove("live"));
stream.addEventListener("change", (event) => refresh(JSON.parse(event.data).changed));
