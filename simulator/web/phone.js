// A phone: one follower's chat with the account.
import { account, get, post } from "/static/api.js";
import { attempt, button, draw, make, toast } from "/static/dom.js";
import { either, t } from "/static/i18n.js";
import { chatNode } from "/static/bubble.js";
import { openCompose } from "/static/compose.js";
import { titles } from "/static/types.js";

export class Phone {
  // The first phone has the ids that tests and bookmarks know.
  constructor(openID, first, onRemove) {
    this.openID = openID;
    this.waiting = 0;
    const id = (name) => first ? { id: name, "data-testid": name } : { "data-testid": name };
    this.chat = make("ol", "chat", [], { ...id("chat"), role: "log", "aria-live": "polite", "aria-label": t("chat"), tabIndex: 0 });
    this.menu = make("nav", "menu", [], { ...id("menu"), "aria-label": t("menu"), hidden: true });
    this.notice = make("p", "waiting", t("waiting"), { ...id("waiting"), hidden: true });
    this.name = make("strong", "name", document.body.dataset.originalId, { "aria-live": "polite" });
    this.left = make("small", "left-messages", "");
    this.input = make("input", "message", undefined, { ...id("message-input"), autocomplete: "off", maxLength: 2000, placeholder: t("messageHint"), "aria-label": t("message") });
    const picture = make("input", "", undefined, { ...id("picture"), type: "file", accept: "image/png,image/jpeg,image/gif", onchange: (event) => this.sendPicture(event.target) });
    const composer = make("form", "composer", [
      make("label", "attach", [picture, make("span", "", "＋", { "aria-hidden": "true" }), make("span", "hidden-text", t("sendPicture"))], { title: t("sendPicture") }),
      this.input,
      button("⋯", () => openCompose((what) => this.push(what)), "more", { ...id("more"), title: t("more"), "aria-label": t("more") }),
      make("button", "primary", t("send"), id("send")),
    ], { onsubmit: (event) => this.submit(event) });
    this.node = make("section", "phone", [
      make("div", "phone-bar", [
        make("div", "who", [this.name, make("small", "", openID, id("openid")), this.left]),
        button(t("follow"), () => this.push({ type: "event", event: "subscribe" }), "follow", id("follow")),
        button(t("unfollow"), () => this.push({ type: "event", event: "unsubscribe" }), "unfollow", id("unfollow")),
        ...(onRemove ? [button("✕", onRemove, "quiet", { "aria-label": t("removeFollower"), title: t("removeFollower") })] : []),
      ]),
      this.chat, this.notice, composer, this.menu,
    ], { "aria-label": openID });
  }

  async push(what) {
    this.waiting++;
    this.notice.hidden = false;
    try {
      return await post("push", { account, from: this.openID, ...what });
    } catch (error) {
      toast(t("failed") + error.message);
      return undefined;
    } finally {
      this.waiting--;
      this.notice.hidden = this.waiting === 0;
    }
  }

  sendText(content, menuEntryID) {
    if (content.trim() !== "") this.push({ type: "text", content, menu_entry_id: menuEntryID || "" });
  }

  submit(event) {
    event.preventDefault();
    this.sendText(this.input.value);
    this.input.value = "";
    this.input.focus();
  }

  sendPicture(chooser) {
    const file = chooser.files[0];
    chooser.value = "";
    if (!file) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => this.push({ type: "image", media: { data: reader.result.split(",")[1] } }));
    reader.addEventListener("error", () => toast(t("pictureUnreadable")));
    reader.readAsDataURL(file);
  }

  async read(followers) {
    const { chat } = await get("followers/" + encodeURIComponent(this.openID) + "/chat");
    const scroll = () => { this.chat.scrollTop = this.chat.scrollHeight; };
    if (draw(this.chat, chat, (line) => chatNode(line, this, scroll))) scroll();
    const me = followers.find((one) => one.openid === this.openID && one.account === account);
    this.node.classList.toggle("following", !me || me.following);
    this.showTyping(me?.typing_ms || 0);
    this.left.textContent = me ? t("messagesLeft") + " " + me.messages_left : "";
  }

  // showTyping says in the place of the account's name that it is typing, as WeChat does, until that has passed.
  showTyping(milliseconds) {
    clearTimeout(this.typingTimer);
    this.name.textContent = milliseconds > 0 ? t("typing") : document.body.dataset.originalId;
    if (milliseconds > 0) this.typingTimer = setTimeout(() => this.showTyping(0), milliseconds);
  }

  async readMenu() {
    const menu = await get("menu?account=" + encodeURIComponent(account) + "&from=" + encodeURIComponent(this.openID));
    const drawn = JSON.stringify(menu.button);
    if (drawn === this.drawnMenu) return; // What is open stays open, and the focus where it is.
    this.drawnMenu = drawn;
    this.menu.replaceChildren(...menu.button.map((entry) => this.menuItem(entry)));
    this.menu.hidden = menu.button.length === 0;
  }

  menuItem(entry) {
    if (!entry.sub_button || entry.sub_button.length === 0) {
      return make("div", "menu-item", [button(entry.name, () => this.act(entry), "menu-entry", { "data-testid": "menu-entry", "data-key": entry.key || "" })]);
    }
    const list = make("div", "submenu", [], { hidden: true });
    const opener = make("button", "menu-entry", "≡ " + entry.name, { type: "button", "data-testid": "menu-entry", "aria-haspopup": "true", "aria-expanded": "false" });
    const toggle = (open) => { list.hidden = !open; opener.setAttribute("aria-expanded", String(open)); };
    opener.addEventListener("click", () => { toggle(list.hidden); if (!list.hidden) list.querySelector("button").focus(); });
    list.append(...entry.sub_button.map((sub) =>
      button(sub.name, () => { toggle(false); this.act(sub); }, "menu-entry", { "data-testid": "submenu-entry", "data-key": sub.key || "" })));
    const item = make("div", "menu-item", [opener, list]);
    item.addEventListener("focusout", (event) => { if (!list.hidden && !item.contains(event.relatedTarget)) toggle(false); });
    item.addEventListener("keydown", (event) => moveInMenu(event, list, () => { toggle(false); opener.focus(); }));
    return item;
  }

  // act does what a menu's entry does on a phone.
  act(entry) {
    switch (entry.type) {
      case "click": return this.push({ type: "event", event: "CLICK", event_key: entry.key });
      case "view": return this.push({ type: "event", event: "VIEW", event_key: entry.url });
      case "miniprogram": return this.push({ type: "event", event: "view_miniprogram", event_key: entry.pagepath });
      case "scancode_push": case "scancode_waitmsg": case "pic_sysphoto": case "pic_photo_or_album": case "pic_weixin": case "location_select":
        return this.push({ type: "event", event: entry.type, event_key: entry.key });
      default: return toast(t("menuUnsupported") + entry.type);
    }
  }
}

// moveInMenu moves by arrow keys, and leaves the entries with Escape.
function moveInMenu(event, list, leave) {
  if (list.hidden) return;
  const entries = [...list.querySelectorAll("button")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    entries[(entries.indexOf(document.activeElement) + step + entries.length) % entries.length].focus();
  } else if (event.key === "Escape") {
    leave();
  }
}

// eventText is what the chat says of something that a follower did.
export function eventText(line) {
  const known = titles.get("event:" + line.type);
  return t("you") + (known ? either(known.title, known.title_en) : line.type) + (line.text ? t("inBrackets", line.text) : "");
}

// tryToPlay plays a voice, if the browser can.
export function tryToPlay(source) {
  attempt(() => new Audio(source).play().catch(() => { throw new Error(t("cannotPlay")); }));
}
