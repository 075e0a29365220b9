// The tokens of the account: every generation with its fate.
import { account, get, post } from "/static/api.js";
import { attempt, button, byId, clockTime, make } from "/static/dom.js";
import { t } from "/static/i18n.js";

const life = 7200;

export function setUpTokens() {
  byId("tokens-panel").append(
    make("div", "bar", [
      button(t("rotate"), () => attempt(() => post("tokens/rotate", { account }), t("rotated")), "", { id: "rotate", "data-testid": "rotate", title: t("rotateHint") }),
      button(t("expire"), () => attempt(() => post("tokens/expire", { account }), t("expiredDone")), "", { id: "expire", "data-testid": "expire" }),
    ]),
    make("p", "tokens", "", { id: "tokens", "data-testid": "tokens" }), make("div", "", [], { id: "token-list" }),
  );
}

export async function readTokens() {
  const { accounts } = await get("tokens?account=" + encodeURIComponent(account));
  const { fetches, tokens } = accounts[0];
  byId("tokens").textContent = `${t("issued")} ${fetches.issued} · ${t("fetched")} ${fetches.classic + fetches.stable} · ` +
    `${t("forced")} ${fetches.forced} · ${t("rejected")} ${fetches.rejected}`;
  if (tokens.length === 0) {
    byId("token-list").replaceChildren(make("p", "empty", t("noTokens")));
    return;
  }
  const current = new Set();
  const rows = tokens.map((one) => {
    const newest = !current.has(one.kind);
    current.add(one.kind);
    return tokenNode(one, newest);
  });
  byId("token-list").replaceChildren(make("ol", "generations", rows));
}

function tokenNode(token, newest) {
  const state = token.errcode === 0 ? (newest ? "current" : "overlap") : token.errcode === 42001 ? "expired" : "dead";
  const fill = make("span", "fill " + (state === "current" ? "good" : state === "overlap" ? "warn" : "bad"));
  fill.style.width = Math.min(token.expires_in / life * 100, 100) + "%";
  return make("li", "generation " + state, [
    make("strong", "", "#" + token.generation), make("span", "kind", t(token.kind)), make("code", "", token.masked),
    make("span", "badge " + ({ current: "good", overlap: "warn" }[state] || "bad"), t(state)),
    make("div", "timebar", [fill]), make("span", "meta", token.expires_in > 0 ? token.expires_in + " s" : "—"), make("span", "meta", clockTime(token.issued)),
  ], { "data-state": state });
}
