// The lines of a chat.
import { button, make } from "/static/dom.js";
import { t } from "/static/i18n.js";
import { eventText, tryToPlay } from "/static/phone.js";

const mediaURL = (id) => "/sim/v1/media/" + encodeURIComponent(id);
const isWeb = (address) => /^https?:\/\//i.test(address || "");
const channels = { custom: "custom", template: "template", mass: "mass" };

export function chatNode(line, phone, scroll) {
  if (line.side === "notice") return make("li", "notice", line.text);
  if (line.side === "event") return make("li", "event", eventText(line));
  const node = make("li", "bubble " + line.side);
  // A document of one's own may call its type anything, such as constructor.
  (Object.hasOwn(contents, line.type) ? contents[line.type] : contents.text)(node, line, phone, scroll);
  for (const article of line.articles || []) node.append(articleNode(article));
  if (channels[line.channel]) node.append(make("span", "via", t(channels[line.channel])));
  return node;
}

// What a bubble of each type holds.
const contents = {
  image(node, line, phone, scroll) {
    node.classList.add("picture-only");
    node.append(make("img", "picture", undefined, { src: mediaURL(line.media_id), alt: t("picture"), onload: scroll }));
  },
  voice(node, line) {
    const player = button("▶ " + t("voice"), () => tryToPlay(mediaURL(line.media_id)), "play", { "aria-label": t("play") + " " + t("voice") });
    node.append(player);
    if (line.media_id) showDuration(player, mediaURL(line.media_id));
    if (line.text) node.append(make("p", "caption", line.text));
  },
  video(node, line, phone, scroll) {
    const film = make("video", "film", undefined, { src: mediaURL(line.media_id), controls: true, preload: "metadata", onloadedmetadata: scroll, "aria-label": t("video") });
    if (line.thumb_media_id) film.poster = mediaURL(line.thumb_media_id);
    node.append(film);
    if (line.text) node.append(make("p", "caption", line.text));
  },
  shortvideo(node, line, phone, scroll) { contents.video(node, line, phone, scroll); },
  music(node, line) {
    node.append(make("p", "caption", "♫ " + t("music")));
    if (line.thumb_media_id) node.append(make("img", "cover", undefined, { src: mediaURL(line.thumb_media_id), alt: "" }));
  },
  location(node, line) {
    const { latitude, longitude } = line.position || {};
    node.append(make("div", "map", [make("span", "pin", "📍", { "aria-hidden": "true" }), make("strong", "", line.text || t("map")), make("small", "", latitude + ", " + longitude)]));
  },
  file(node, line) { node.append("📄 " + (line.text || t("file"))); },
  text(node, line, phone) {
    if (line.choices) node.append(choicesNode(line, phone));
    else if (line.side === "account") richText(node, line.text || "", phone);
    else node.append(line.text || "");
  },
};

// showDuration adds how long a voice is, if the browser knows its format.
function showDuration(player, source) {
  make("audio", "", undefined, { preload: "metadata", src: source, onloadedmetadata: ({ target }) => {
    if (Number.isFinite(target.duration)) player.append(make("span", "duration", Math.max(Math.round(target.duration), 1) + "″"));
  } });
}

// Text of an account may hold links; everything else in it is text.
function richText(node, text, phone) {
  const link = /<a\s[^>]*?href=(["'])(.*?)\1[^>]*>([\s\S]*?)<\/a>/gi;
  let position = 0;
  for (const match of text.matchAll(link)) {
    node.append(text.slice(position, match.index), linkNode(match[2], match[3], phone));
    position = match.index + match[0].length;
  }
  node.append(text.slice(position));
}

function linkNode(target, label, phone) {
  if (isWeb(target)) return make("a", "", label, { href: target, target: "_blank", rel: "noopener noreferrer" });
  const tap = /^weixin:\/\/bizmsgmenu\?(.*)$/i.exec(target);
  if (!tap) return document.createTextNode(label);
  const asked = new URLSearchParams(tap[1]);
  return tapNode(label, asked.get("msgmenucontent") || label, asked.get("msgmenuid"), phone);
}

// tapNode is an entry that sends a text with its id when it is tapped.
const tapNode = (label, content, id, phone) => button(label, () => phone.sendText(content, id), "tap");

// choicesNode is a menu message whose entries, the lines that begin with a dot, can be tapped.
function choicesNode(line, phone) {
  const node = make("div", "choices");
  let next = 0;
  for (const text of line.text.split("\n")) {
    const choice = line.choices[next];
    if (choice && text === "· " + choice.text) {
      node.append(tapNode(choice.text, choice.text, choice.id, phone));
      next++;
    } else {
      node.append(make("p", "", text));
    }
  }
  return node;
}

function articleNode(article) {
  const node = isWeb(article.url) ? make("a", "article", undefined, { href: article.url, target: "_blank", rel: "noopener noreferrer" }) : make("div", "article");
  if (article.pic_url) node.append(make("img", "", undefined, { src: article.pic_url, alt: "", onerror: (event) => event.target.remove() }));
  node.append(make("strong", "", article.title), make("span", "", article.description || ""));
  return node;
}
