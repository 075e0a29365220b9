package verdict

import "github.com/wxstack/wxstack/simulator/internal/phrase"

// Code names why a delivery got its verdict, for programs.
type Code string

// The codes. An answer is valid with the first five.
const (
	Replied     Code = "replied"      // A reply was shown.
	Success     Code = "success"      // The text success.
	Empty       Code = "empty"        // An empty body.
	HandedOver  Code = "handed_over"  // transfer_customer_service and the like.
	NotAnswered Code = "not_answered" // A reply to an event that WeChat shows none to.

	NoticeRefused  Code = "notice_refused"  // A notice was answered otherwise than with success.
	JSONForXML     Code = "json_for_xml"    // JSON, where the account's format is XML.
	NoDocument     Code = "no_document"     // Neither success nor a document.
	ByteOrderMark  Code = "byte_order_mark" // A UTF-8 byte order mark.
	NotUTF8        Code = "not_utf8"        // Bytes that aren't UTF-8.
	Trailing       Code = "trailing"        // Something after the document.
	Malformed      Code = "malformed"       // A document that can't be read.
	ClearInSafe    Code = "clear_in_safe"   // Clear text in safe mode.
	SealedInPlain  Code = "sealed_in_plain" // An envelope in plain mode.
	EnvelopeParts  Code = "envelope_parts"  // An envelope that lacks something.
	BadSignature   Code = "bad_signature"   // MsgSignature doesn't fit.
	OtherAppID     Code = "other_app_id"    // Sealed for another AppID.
	Unopenable     Code = "unopenable"      // It can't be decrypted.
	WrongTo        Code = "wrong_to"        // ToUserName isn't the follower.
	WrongFrom      Code = "wrong_from"      // FromUserName isn't the account.
	WrongTime      Code = "wrong_time"      // CreateTime isn't an integer.
	NoType         Code = "no_type"         // MsgType is missing.
	UnknownType    Code = "unknown_type"    // MsgType is none that there is.
	NoContent      Code = "no_content"      // A text without Content.
	LongContent    Code = "long_content"    // A text over the limit.
	NoMedia        Code = "no_media"        // A MediaId is missing.
	UnknownMedia   Code = "unknown_media"   // A MediaId of no file.
	WrongArticles  Code = "wrong_articles"  // ArticleCount doesn't fit.
	TimedOut       Code = "timed_out"       // Nothing within five seconds.
	WrongStatus    Code = "wrong_status"    // An HTTP status other than 200.
	Unreachable    Code = "unreachable"     // No connection.
	Disconnected   Code = "disconnected"    // The connection ended before an answer.
	AnswerLost     Code = "answer_lost"     // It broke in another way.
	PushWasStopped Code = "push_stopped"    // The caller gave the push up.
)

// words are the sentences of the codes, with the places of what there is to tell.
var words = map[Code]phrase.Phrase{
	Replied:     {Zh: "有效的 %s 回复", En: "a valid %s reply"},
	Success:     {Zh: "success：不显示任何内容", En: "success: nothing is shown"},
	Empty:       {Zh: "空串：不显示任何内容", En: "empty body: nothing is shown"},
	HandedOver:  {Zh: "由 %s 转交：不显示任何内容", En: "handed over by %s: nothing is shown"},
	NotAnswered: {Zh: "回复有效，但微信不会为这类事件显示回复", En: "a valid reply, but WeChat shows none to this kind of event"},

	NoticeRefused:  {Zh: "通知只能用 success 应答", En: "the answer to a notice must be success"},
	JSONForXML:     {Zh: "应答是 JSON，但账号的数据格式是 XML", En: "the body is JSON, but the account's data format (数据格式) is XML"},
	NoDocument:     {Zh: "应答既不是 success、空串，也不是回复文档", En: "the body is neither success, empty, nor a reply document"},
	ByteOrderMark:  {Zh: "应答以 UTF-8 BOM 开头", En: "the body begins with a UTF-8 byte order mark"},
	NotUTF8:        {Zh: "应答不是 UTF-8", En: "the body isn't UTF-8"},
	Trailing:       {Zh: "</xml> 之后还有内容", En: "something follows after </xml>"},
	Malformed:      {Zh: "应答不是回复文档：%v", En: "the body isn't a reply document: %v"},
	ClearInSafe:    {Zh: "安全模式下返回了明文：须放进 Encrypt 信封", En: "clear text in safe mode: the reply must be sealed in an Encrypt element"},
	SealedInPlain:  {Zh: "明文模式下返回了密文", En: "the reply is sealed, but the account is in plain mode"},
	EnvelopeParts:  {Zh: "信封须有 Encrypt、MsgSignature、TimeStamp 和 Nonce", En: "the envelope must have Encrypt, MsgSignature, TimeStamp and Nonce"},
	BadSignature:   {Zh: "回复无法解密：MsgSignature 不符", En: "the sealed reply can't be opened: its MsgSignature does not match"},
	OtherAppID:     {Zh: "回复无法解密：密文属于另一个 AppID", En: "the sealed reply can't be opened: it is for another AppID"},
	Unopenable:     {Zh: "回复无法解密：%v", En: "the sealed reply can't be opened: %v"},
	WrongTo:        {Zh: "ToUserName 是 %q，必须是粉丝的 OpenID %q", En: "ToUserName is %q, must be the follower's OpenID %q"},
	WrongFrom:      {Zh: "FromUserName 是 %q，必须是账号的原始ID %q", En: "FromUserName is %q, must be the account's original id %q"},
	WrongTime:      {Zh: "CreateTime %q 不是整数", En: "CreateTime %q isn't an integer"},
	NoType:         {Zh: "缺少 MsgType", En: "MsgType is missing"},
	UnknownType:    {Zh: "没有 MsgType %q 这种回复；区分大小写", En: "MsgType %q is unknown; it is case-sensitive"},
	NoContent:      {Zh: "Content 缺失或为空；不需要回复时返回 success", En: "Content is missing or empty; answer success to show nothing"},
	LongContent:    {Zh: "Content 有 %d 字节，最多 %d", En: "Content has %d bytes, at most %d are allowed"},
	NoMedia:        {Zh: "缺少 %s/MediaId", En: "%s/MediaId is missing"},
	UnknownMedia:   {Zh: "%s/MediaId %q 不是平台已有的 %s 素材", En: "%s/MediaId %q isn't a %s that the platform knows"},
	WrongArticles:  {Zh: "ArticleCount 是 %q，实际有 %d 篇图文", En: "ArticleCount is %q, there are %d articles"},
	TimedOut:       {Zh: "%s 内没有应答，连接被断开", En: "no answer within %s; the connection was dropped"},
	WrongStatus:    {Zh: "HTTP 状态 %d 等于没有应答", En: "HTTP status %d counts as no answer"},
	Unreachable:    {Zh: "服务器 URL 无法访问：%v", En: "the callback URL can't be reached: %v"},
	Disconnected:   {Zh: "连接被关闭，没有应答", En: "the connection was closed without an answer"},
	AnswerLost:     {Zh: "应答丢失：%v", En: "the answer was lost: %v"},
	PushWasStopped: {Zh: "推送被取消", En: "the push was cancelled"},
}

// Reason says why a delivery got its verdict.
type Reason struct {
	phrase.Phrase

	Code Code
}

// Because makes a reason of a code and what its sentences have to tell.
func Because(code Code, values ...any) Reason {
	said := words[code]
	if len(values) > 0 {
		said = said.With(values...)
	}

	return Reason{Code: code, Phrase: said}
}

// insideEnvelope says of a reason that it is about what was sealed.
func (r Reason) insideEnvelope() Reason {
	r.Phrase = phrase.Phrase{Zh: "信封内：%s", En: "inside the envelope: %s"}.With(r.Phrase)

	return r
}
