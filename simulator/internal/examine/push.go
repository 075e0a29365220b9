package examine

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/verdict"
)

func count(number int) string { return strconv.Itoa(number) }

// modeNames are what the console calls the modes.
var modeNames = map[string]string{"plain": "明文模式", "compatible": "兼容模式", "safe": "安全模式"}

// judgePush looks at how a text was answered, and how the same delivery was once more. Verified says whether the URL
// verification was answered rightly: if not, a push is refused for the same reason.
func judgePush(pushed Pushed, verified bool) []Finding {
	check := "push_" + pushed.Mode
	name := modeNames[pushed.Mode]
	if pushed.Verdict.Valid() {
		return append([]Finding{{
			Check: check, Severity: OK, Text: name + "：文本消息得到有效应答（" + pushed.Reason.Zh + "）", TextEn: pushed.Mode + " mode: a text was answered validly (" + pushed.Reason.En + ")",
		}}, slices.Concat(judgeAgain(pushed), judgeForged(pushed))...)
	}
	finding := Finding{
		Check: check, Severity: Problem, Text: name + "：" + pushed.Reason.Zh, TextEn: pushed.Mode + " mode: " + pushed.Reason.En,
	}
	finding.Remedy, finding.RemedyEn = remedyOf(pushed)
	if refused := pushed.Status == http.StatusUnauthorized || pushed.Status == http.StatusForbidden; refused && !verified {
		finding.Remedy, finding.RemedyEn = "先解决上面的 URL 验证问题：推送和验证使用同一个 Token", "first mend the URL verification above: pushes are signed with the same Token"
	}

	return []Finding{finding}
}

// remedies are what to do about the reasons of verdicts.
var remedies = map[verdict.Code]struct{ zh, en string }{
	verdict.BadSignature:  {"用信封里的 TimeStamp、Nonce、Encrypt 和 Token 计算 MsgSignature", "compute MsgSignature over the Token and the envelope's own TimeStamp, Nonce and Encrypt"},
	verdict.OtherAppID:    {"加密时末尾附上本账号的 AppID（第三方平台用自己的 AppID）", "end the plain text with this account's AppID (a third-party platform: with its own)"},
	verdict.Unopenable:    {"核对 EncodingAESKey；AES-256-CBC，IV 为密钥前 16 字节，按 32 字节做 PKCS#7 填充", "compare the EncodingAESKey; AES-256-CBC, the IV its first 16 bytes, PKCS#7 padding to 32 bytes"},
	verdict.ClearInSafe:   {"安全模式必须返回加密的 Encrypt 信封", "safe mode wants the reply in an Encrypt envelope"},
	verdict.SealedInPlain: {"明文模式必须返回明文；核对两边的加解密方式", "plain mode wants clear text; compare the mode on both sides"},
	verdict.EnvelopeParts: {"信封须有 Encrypt、MsgSignature、TimeStamp、Nonce 四个元素，区分大小写", "the envelope has four elements, and case matters: Encrypt, MsgSignature, TimeStamp, Nonce"},
	verdict.WrongTo:       {"回复时交换推送里的 ToUserName 和 FromUserName", "swap the push's ToUserName and FromUserName in the reply"},
	verdict.WrongFrom:     {"回复时交换推送里的 ToUserName 和 FromUserName", "swap the push's ToUserName and FromUserName in the reply"},
	verdict.WrongTime:     {"CreateTime 填当前的 Unix 秒数", "CreateTime is the Unix time in seconds"},
	verdict.NoType:        {"XML 元素名区分大小写：MsgType", "names of XML elements are case-sensitive: MsgType"},
	verdict.UnknownType:   {"MsgType 用小写：text、image、voice、video、music、news", "MsgType is lower case: text, image, voice, video, music or news"},
	verdict.LongContent:   {"截短文本，或分几条客服消息发送", "cut the text, or send it as several customer-service messages"},
	verdict.NoMedia:       {"先上传素材，再填它的 media_id", "upload the file first, and answer its media_id"},
	verdict.UnknownMedia:  {"先上传素材，再填它的 media_id；临时素材三天后失效", "upload the file first, and answer its media_id; temporary ones end after three days"},
	verdict.WrongArticles: {"ArticleCount 必须等于 Articles 里 item 的个数", "ArticleCount must be the number of items in Articles"},
	verdict.ByteOrderMark: {"把源文件存为无 BOM 的 UTF-8", "save the source file as UTF-8 without BOM"},
	verdict.NotUTF8:       {"用 UTF-8 编码输出", "answer in UTF-8"},
	verdict.JSONForXML:    {"返回 XML，或把账号的数据格式改为 JSON", "answer XML, or change the account's data format to JSON"},
	verdict.NoDocument:    {"不需要回复时返回 success，否则返回回复的 XML", "answer success when there is nothing to say, else the XML of a reply"},
	verdict.Malformed:     {"检查 XML 是否完整，前后没有其他输出", "check that the XML is whole, and that nothing is printed around it"},
	verdict.Trailing:      {"检查 XML 是否完整，前后没有其他输出", "check that the XML is whole, and that nothing is printed around it"},
	verdict.NoContent:     {"不需要回复时返回 success，而不是空的 Content", "answer success instead of an empty Content when there is nothing to say"},
	verdict.TimedOut:      {"5 秒内先返回 success，之后用客服消息回复", "answer success within 5 s, and send the answer by customer-service message afterwards"},
	verdict.Unreachable:   {"服务是否已启动，端口是否正确", "is the server running, is the port right"},
	verdict.Disconnected:  {"服务器处理时崩溃了吗？查看日志", "did the server crash over it? Look into its log"},
}

func remedyOf(pushed Pushed) (zh, en string) {
	if pushed.Reason.Code == verdict.WrongStatus {
		return remedyOfStatus(pushed.Status)
	}
	if known, found := remedies[pushed.Reason.Code]; found {
		return known.zh, known.en
	}

	return "查看服务器日志", "look into the server's log"
}

func remedyOfStatus(status int) (zh, en string) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "加密模式须验证 msg_signature（四个参数），而不是 signature", "in the encrypted modes check msg_signature (four values), not signature"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "这个路径没有接受 POST", "nothing takes a POST under this path"
	default:
		return "处理消息时出错：查看服务器日志", "the message caused an error: look into the server's log"
	}
}

// judgeAgain looks at how a repeated delivery was answered: WeChat repeats one whose answer it lost.
func judgeAgain(pushed Pushed) []Finding {
	switch pushed.Again {
	case "":
		return nil
	case verdict.Shown, verdict.Silent:
		return []Finding{{Check: "repeat", Severity: OK, Text: "重复推送得到有效应答", TextEn: "a repeated delivery was answered validly"}}
	default:
		return []Finding{{
			Check: "repeat", Severity: Problem, Text: "重复推送被拒绝（状态 " + count(pushed.AgainStatus) + "）", TextEn: "a repeated delivery was refused (status " + count(pushed.AgainStatus) + ")",
			Remedy: "微信丢失应答时会原样重发：按 MsgId 排重并返回同样的应答，不要当作重放攻击", RemedyEn: "WeChat repeats a delivery whose answer was lost: recognise its MsgId and give the same answer, it is no attack",
		}}
	}
}

// judgeForged looks at how a wrongly signed message was answered.
func judgeForged(pushed Pushed) []Finding {
	check := "forged_" + pushed.Mode
	name := modeNames[pushed.Mode]
	switch pushed.Forged {
	case "":
		return nil
	case verdict.Shown:
		return []Finding{{
			Check: check, Severity: Problem, Text: name + "：签名错误的消息也得到了回复：任何人都能冒充粉丝", TextEn: pushed.Mode + " mode: a message with a wrong signature was answered: anybody can pretend to be a follower",
			Remedy: "每个 POST 都要验证签名（加密模式为 msg_signature），不一致时返回 403", RemedyEn: "check the signature of every POST (msg_signature in the encrypted modes), and answer 403 if it differs",
		}}
	case verdict.Silent:
		return []Finding{{
			Check: check, Severity: Note, Text: name + "：签名错误的消息得到 success，看不出是否被处理", TextEn: pushed.Mode + " mode: a message with a wrong signature was answered with success: whether it was processed can't be told",
			Remedy: "签名不一致时返回 403，并确认没有处理该消息", RemedyEn: "answer 403 if the signature differs, and make sure that the message isn't processed",
		}}
	default:
		return []Finding{{Check: check, Severity: OK, Text: name + "：签名错误的消息被拒绝", TextEn: pushed.Mode + " mode: a message with a wrong signature was refused"}}
	}
}
