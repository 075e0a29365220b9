// What the platform says of answers, in Chinese. In English it stands as it came.
import { lang } from "/static/i18n.js";

const known = [
  [/^success: nothing is shown$/, "success：不显示任何内容"],
  [/^empty body: nothing is shown$/, "空串：不显示任何内容"],
  [/^a valid reply, but WeChat shows none to this kind of event$/, "回复有效，但微信不会为这类事件显示回复"],
  [/^a valid (\S+) reply$/, "有效的 $1 回复"],
  [/^handed over by (\S+): nothing is shown$/, "由 $1 转交：不显示任何内容"],
  [/^no answer within (\S+); the connection was dropped$/, "$1 内没有应答，连接被断开"],
  [/^HTTP status (\d+) counts as no answer$/, "HTTP 状态 $1 等于没有应答"],
  [/^the callback URL can't be reached: (.*)$/, "服务器 URL 无法访问：$1"],
  [/^the connection was closed without an answer$/, "连接被关闭，没有应答"],
  [/^the answer was lost: (.*)$/, "应答丢失：$1"],
  [/^the push was cancelled$/, "推送被取消"],
  [/^the body is neither success, empty, nor a reply document$/, "应答既不是 success、空串，也不是回复文档"],
  [/^the body is JSON, but .*$/, "应答是 JSON，但账号的数据格式是 XML"],
  [/^clear text in safe mode: .*$/, "安全模式下返回了明文：须放进 Encrypt 信封"],
  [/^the reply is sealed, but the account is in plain mode$/, "明文模式下返回了密文"],
  [/^the envelope must have (.*)$/, "信封须有 $1"],
  [/^the sealed reply can't be opened: (.*)$/, "回复无法解密：$1"],
  [/^the body isn't a reply document: (.*)$/, "应答不是回复文档：$1"],
  [/^(ToUserName|FromUserName) is (.*), must be .* (".*")$/, "$1 是 $2，必须是 $3"],
  [/^Content has (\d+) bytes, at most (\d+) are allowed$/, "Content 有 $1 字节，最多 $2"],
  [/^Content is missing or empty; .*$/, "Content 缺失或为空；不需要回复时返回 success"],
  [/^the follower saw no answer$/, "粉丝没有看到回复"],
  [/^the follower saw two answers$/, "粉丝看到了两次回复"],
  [/^the follower saw (.*): it answers message (\S+), not (\S+)$/, "粉丝看到 $1：它回复的是 $2，而不是 $3"],
  [/^the follower saw (.*): it must contain (.*)$/, "粉丝看到 $1：应包含 $2"],
  [/^the follower saw (.*): it must be (.*)$/, "粉丝看到 $1：应为 $2"],
  [/^(\S+) was told the answer to it: (.*)$/, "回复发给了 $1：$2"],
  [/^the repeated delivery was answered with (.*), the first with (.*)$/, "重复推送得到 $1，第一次得到 $2"],
  [/^the repeated delivery got no valid answer$/, "重复推送没有有效应答"],
];

export function reasonText(text) {
  if (lang === "en") return text;
  const found = known.find(([pattern]) => pattern.test(text));
  return found ? text.replace(found[0], found[1]) : text;
}
