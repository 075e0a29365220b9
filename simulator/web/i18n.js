// The page's words. Both languages have the same keys, which a test checks.
const words = {
  zh: {
    title: "微信模拟器", live: "实时连接", account: "账号", mode: "加解密", callback: "推送到", panels: "面板", views: "视图",
    viewPhones: "手机", viewControls: "控制", inspector: "检查器", tokens: "令牌", faults: "故障", load: "压测", platform: "平台",
    plain: "明文模式", compatible: "兼容模式", safe: "安全模式", unset: "未设置", failed: "操作失败：", inBrackets: "（{n}）", colon: "：", comma: "，", copy: "复制", copied: "已复制", cannotCopy: "浏览器不允许复制",
    addFollower: "＋ 添加粉丝", removeFollower: "移除", follow: "关注", unfollow: "取消关注", chat: "聊天记录", waiting: "等待公众号回复…", typing: "对方正在输入…",
    sendPicture: "发送图片", message: "消息", messageHint: "发消息给公众号", send: "发送", more: "更多类型", menu: "自定义菜单", menuUnsupported: "未知的菜单类型：",
    you: "你", voice: "语音", video: "视频", music: "音乐", file: "文件", play: "播放", cannotPlay: "浏览器不能播放这种格式", map: "位置",
    custom: "客服消息", template: "模板消息", mass: "群发", picture: "图片", pictureUnreadable: "图片无法读取", messagesLeft: "可发客服消息",
    composeTitle: "推送消息或事件", search: "搜索", form: "表单", free: "自由文档", freeHint: "自己写的 XML 或 JSON，原样发送", pushMode: "加解密", pushFormat: "数据格式",
    push: "推送", close: "关闭", asAccount: "与账号相同", noMatch: "没有匹配的类型", 
    all: "全部", pushes: "消息推送", calls: "API 调用", errors: "异常", pause: "暂停", resume: "继续", filter: "筛选", searchRecords: "搜索记录", newRecords: "条新记录",
    empty: "还没有记录。在手机上发一条消息试试。", deliveries: "次推送", oneDelivery: "1 次推送", delivery: "第 {n} 次", noResponse: "无响应", document: "推送内容（明文）",
    requestURL: "请求 URL", request: "原始请求", response: "原始响应", opened: "响应解密后", emptyBody: "（空）", explain: "签名与加密是怎么算的", reveal: "显示密钥", ofLimit: "上限 {n}",
    signature: "signature（3 个值）", msg_signature: "msg_signature（4 个值）", decryption: "解密", reply: "回复的信封", 
    shown: "已回复", silent: "无需显示", failedOutcome: "服务故障", invalid: "回复无效", no_answer: "没有应答", pending: "推送中",
    injected: "故障注入", success: "成功", dropped: "断开", generation: "账号 / 令牌代次", query: "查询参数", callRequest: "请求", callResponse: "响应", rid: "rid",
    current: "当前", overlap: "仍有效", dead: "已失效（40001）", expired: "已过期（42001）",
    stable: "稳定版", classic: "普通", work: "企业微信", component: "第三方平台", authorizer: "授权方", issued: "已签发", fetched: "获取", forced: "强制刷新", rejected: "被拒调用",
    rotate: "令牌被顶替", rotateHint: "他人用同一 AppSecret 刷新了令牌", expire: "令牌过期", rotated: "令牌已被顶替，旧令牌立即失效（40001）", expiredDone: "令牌已过期（42001）", noTokens: "还没有签发过令牌。",
    path: "接口路径", latency: "延迟 (ms)", errcode: "错误码", httpStatus: "HTTP 状态", drop: "断开连接", dropNone: "不断开", dropBefore: "处理前", dropAfter: "处理后", busy: "系统繁忙 (-1)",
    contentType: "响应类型", partial: "响应只发一半", count: "次数", countHint: "0 = 一直", probability: "概率 (0–1)", addFault: "添加故障", clearFaults: "全部移除", noFaults: "没有故障。", faultAdded: "故障已添加", faultsCleared: "故障已移除",
    rate: "每秒条数", concurrency: "同时等待", total: "总数", seconds: "时长（秒）", followers: "粉丝数", think: "思考间隔 (ms)", mix: "消息配比", expect: "期望的应答", repeat: "重复推送比例", settle: "等待迟到应答（秒）",
    expectAny: "任意有效应答", expectReply: "必须看到回复", expectEcho: "必须看到原文", startLoad: "开始", stopLoad: "停止", sent: "发送", answered: "有效应答", late: "客服消息迟到应答", perSecond: "每秒", attempts: "推送次数",
    lost: "丢失", duplicates: "重复", wrong: "错误", inconsistent: "不一致", failedCount: "失败", notices: "错误提示", findings: "发现的问题", duplicate: "重复", running: "进行中", finished: "已结束", notSent: "未发送", lateStarts: "条没能按时发出", healthy: "没有发现问题", unhealthy: "发现问题",
    configuration: "服务器配置", appID: "AppID", originalID: "原始ID", callbackURL: "服务器 URL", token: "Token（令牌）", aesKey: "EncodingAESKey", appSecret: "AppSecret", unchanged: "不修改则留空", save: "保存", saved: "已保存", 
    examine: "检查服务器", examineHint: "验证 URL，再推送一条文本并重复一次", verifyURL: "仅验证 URL", examining: "检查中…", clock: "时钟", clockHint: "令牌、配额、窗口与素材按此时钟老化；推送里的时间不变。", advance: "前进", custom_seconds: "秒", now: "现在",
    scan: "扫码", ticket: "二维码 ticket", openID: "OpenID", scanned: "已扫码", ipAllowList: "IP 白名单", ipHint: "逗号分隔；空 = 不限制", condition: "账号状态", conditionNone: "正常", quota: "每日配额", dailyLimit: "上限", reset: "清空一切", resetDone: "已清空", resetConfirm: "清空聊天、令牌、记录与故障？账号配置保留。",
  },
  en: {
    title: "WeChat simulator", live: "Live connection", account: "Account", mode: "Encryption", callback: "Pushes to", panels: "Panels", views: "Views",
    viewPhones: "Phones", viewControls: "Controls", inspector: "Inspector", tokens: "Tokens", faults: "Faults", load: "Load", platform: "Platform",
    plain: "plain", compatible: "compatible", safe: "safe", unset: "not set", failed: "Failed: ", inBrackets: " ({n})", colon: ": ", comma: ", ", copy: "Copy", copied: "Copied", cannotCopy: "The browser doesn't allow it",
    addFollower: "＋ Add a follower", removeFollower: "Remove", follow: "Follow", unfollow: "Unfollow", chat: "Chat", waiting: "Waiting for the account…", typing: "typing…",
    sendPicture: "Send a picture", message: "Message", messageHint: "Write to the account", send: "Send", more: "More types", menu: "Menu", menuUnsupported: "Unknown type of menu entry: ",
    you: "You: ", voice: "Voice", video: "Video", music: "Music", file: "File", play: "Play", cannotPlay: "The browser can't play this format", map: "Location",
    custom: "Customer service", template: "Template message", mass: "Mass message", picture: "Picture", pictureUnreadable: "The picture can't be read", messagesLeft: "Customer-service messages left",
    composeTitle: "Push a message or an event", search: "Search", form: "Form", free: "Free document", freeHint: "XML or JSON of your own, sent as it is", pushMode: "Encryption", pushFormat: "Data format",
    push: "Push", close: "Close", asAccount: "as the account", noMatch: "No type matches", 
    all: "All", pushes: "Pushes", calls: "API calls", errors: "Problems", pause: "Pause", resume: "Resume", filter: "Filter", searchRecords: "Search records", newRecords: "new records",
    empty: "No records yet. Send a message on the phone.", deliveries: "deliveries", oneDelivery: "1 delivery", delivery: "Delivery {n}", noResponse: "no response", document: "Document in clear",
    requestURL: "Request URL", request: "Raw request", response: "Raw response", opened: "Response decrypted", emptyBody: "(empty)", explain: "How signatures and encryption come about", reveal: "Show secrets", ofLimit: "of {n}",
    signature: "signature (3 values)", msg_signature: "msg_signature (4 values)", decryption: "Decryption", reply: "Envelope of the reply", 
    shown: "answered", silent: "nothing to show", failedOutcome: "out of service", invalid: "invalid reply", no_answer: "no answer", pending: "pending",
    injected: "fault", success: "ok", dropped: "dropped", generation: "Account / token generation", query: "Query", callRequest: "Request", callResponse: "Response", rid: "rid",
    current: "current", overlap: "still valid", dead: "dead (40001)", expired: "expired (42001)",
    stable: "stable", classic: "classic", work: "WeChat Work", component: "component", authorizer: "authorizer", issued: "issued", fetched: "fetched", forced: "forced", rejected: "calls rejected",
    rotate: "Foreign refresh", rotateHint: "Somebody else with the AppSecret refreshed the token", expire: "Expire tokens", rotated: "The token was replaced; the former one is dead (40001)", expiredDone: "The tokens have expired (42001)", noTokens: "No token was issued yet.",
    path: "API path", latency: "Latency (ms)", errcode: "Error code", httpStatus: "HTTP status", drop: "Drop the connection", dropNone: "no", dropBefore: "before processing", dropAfter: "after processing", busy: "System busy (-1)",
    contentType: "Content-Type", partial: "Half of the body only", count: "Count", countHint: "0 = always", probability: "Probability (0–1)", addFault: "Add the fault", clearFaults: "Remove all", noFaults: "No faults.", faultAdded: "The fault was added", faultsCleared: "The faults were removed",
    rate: "Messages a second", concurrency: "Waiting at once", total: "Total", seconds: "Duration (s)", followers: "Followers", think: "Think time (ms)", mix: "Mix", expect: "Right answer", repeat: "Share delivered again", settle: "Wait for late answers (s)",
    expectAny: "any valid answer", expectReply: "a reply must be seen", expectEcho: "the message must be seen again", startLoad: "Start", stopLoad: "Stop", sent: "sent", answered: "answered", late: "late by customer service", perSecond: "a second", attempts: "deliveries",
    lost: "lost", duplicates: "duplicates", wrong: "wrong", inconsistent: "inconsistent", failedCount: "failed", notices: "error notices", findings: "Findings", duplicate: "duplicate", running: "running", finished: "finished", notSent: "not sent", lateStarts: "couldn't be sent when due", healthy: "nothing is wrong", unhealthy: "something is wrong",
    configuration: "Server configuration", appID: "AppID", originalID: "Original id", callbackURL: "Callback URL", token: "Token", aesKey: "EncodingAESKey", appSecret: "AppSecret", unchanged: "empty: unchanged", save: "Save", saved: "Saved", 
    examine: "Examine the server", examineHint: "Verifies the URL, pushes a text and repeats it", verifyURL: "Verify the URL only", examining: "Examining…", clock: "Clock", clockHint: "Tokens, quotas, windows and media age by it; times on the wire stay real.", advance: "Advance", custom_seconds: "seconds", now: "Now",
    scan: "Scan a QR code", ticket: "Ticket of the code", openID: "OpenID", scanned: "Scanned", ipAllowList: "IP allow-list", ipHint: "comma-separated; empty: no limit", condition: "State of the account", conditionNone: "well", quota: "Daily quota", dailyLimit: "Limit", reset: "Reset everything", resetDone: "Reset", resetConfirm: "Forget chats, tokens, records and faults? The accounts' configuration stays.",
  },
};

const asked = new URLSearchParams(location.search).get("lang");
const stored = (() => { try { return localStorage.getItem("lang"); } catch { return null; } })();
export const lang = [asked, stored, navigator.language.startsWith("en") ? "en" : "zh"].find((one) => one === "zh" || one === "en");

// t returns the words of a key, with {n} replaced.
export function t(key, n) {
  const text = words[lang][key] ?? key;
  return n === undefined ? text : text.replace("{n}", () => n);
}

// either chooses between a Chinese and an English text that the server gave.
export const either = (zh, en) => lang === "en" ? en || zh : zh;

// translate puts the words into what the server rendered.
export function translate() {
  document.documentElement.lang = lang === "en" ? "en" : "zh-CN";
  document.title = t("title") + " · wxstack";
  for (const node of document.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of document.querySelectorAll("[data-i18n-label]")) node.setAttribute("aria-label", t(node.dataset.i18nLabel));
}

export function switchLanguage() {
  const next = lang === "en" ? "zh" : "en";
  try { localStorage.setItem("lang", next); } catch { /* The parameter does as well. */ }
  const target = new URL(location.href);
  target.searchParams.set("lang", next);
  location.href = target;
}
