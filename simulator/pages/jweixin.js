// Plays WeChat's JS-SDK (jweixin.js), so far as wx.config is concerned: the simulator judges the signature.
"use strict";
(() => {
  const ready = [], failed = [];
  let state = "", reason = "";
  const settle = (next, message) => {
    state = next;
    reason = message;
    (state === "ready" ? ready : failed).forEach((call) => call({ errMsg: reason }));
  };
  window.wx = {
    config({ appId, timestamp, nonceStr, signature, debug }) {
      fetch("{{BASE}}/sim/v1/jssdk/check", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ account: appId, url: location.href, timestamp: String(timestamp), noncestr: nonceStr, signature }),
      }).then((answer) => answer.json()).then((check) => {
        if (debug || !check.ok) console.info("wx.config: " + (check.reason || check.error));
        settle(check.ok ? "ready" : "failed", check.ok ? "config:ok" : "config:invalid signature");
      }).catch((error) => settle("failed", "config:fail " + error.message));
    },
    ready(call) { state === "ready" ? call({ errMsg: reason }) : ready.push(call); },
    error(call) { state === "failed" ? call({ errMsg: reason }) : failed.push(call); },
    checkJsApi({ jsApiList, success }) {
      success({ errMsg: "checkJsApi:ok", checkResult: Object.fromEntries(jsApiList.map((name) => [name, state === "ready"])) });
    },
  };
})();
