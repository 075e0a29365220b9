// Package verdict decides what WeChat makes of an account's answer to a push: whether a follower is shown something, and if
// not, why. It does no I/O.
package verdict

import (
	"bytes"
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// Verdict is what WeChat makes of one delivery's answer.
type Verdict string

// The verdicts.
const (
	Shown    Verdict = "shown"     // A valid reply was shown to the follower.
	Silent   Verdict = "silent"    // A valid answer that shows nothing.
	Invalid  Verdict = "invalid"   // An answer that WeChat can't use. It isn't retried.
	NoAnswer Verdict = "no_answer" // Nothing came in time. The message is sent again.
)

// Valid reports whether WeChat takes the answer.
func (v Verdict) Valid() bool { return v == Shown || v == Silent }

const (
	// maxReplyText is the limit of a passive reply's Content in bytes (被动回复用户消息).
	maxReplyText = 2048
	// maxArticlesForMessage is how many articles may answer a message.
	maxArticlesForMessage = 1
	// maxArticlesForEvent is how many articles may answer an event.
	maxArticlesForEvent = 8
	// SuccessBody is the answer that means "received, show nothing".
	SuccessBody = "success"
)

// Expectation is what must be known of the push that was answered.
type Expectation struct {
	TakesClear  bool             // Whether the account's mode lets replies be clear text.
	Cipher      *msgcrypt.Cipher // Opens sealed replies; nil where none may come.
	JSON        bool             // Whether the account's data format (数据格式) is JSON.
	Follower    string           // OpenID.
	OriginalID  string
	IsEvent     bool
	IsNotice    bool                            // Whether success is the only answer that WeChat takes.
	Answerable  bool                            // Whether WeChat shows a reply to such a push at all.
	HasMaterial func(mediaID, kind string) bool // Whether the platform knows the file.
}

// Judgement is a verdict with its reason and what the follower sees.
type Judgement struct {
	Verdict Verdict
	Reason  Reason
	Opened  string   // The reply in clear, when it came sealed.
	Content *Content // What is shown; nil if nothing is.
}

// Content is a reply as the follower sees it.
type Content struct {
	Type     string // MsgType.
	Text     string
	MediaID  string
	ThumbID  string
	Articles []Article
}

// Without is the judgement of a delivery that got no answer.
func Without(reason Reason) Judgement { return Judgement{Verdict: NoAnswer, Reason: reason} }

// Judge decides about the body of an answer with status 200.
func Judge(body []byte, expected Expectation) Judgement {
	refused := func(code Code) Judgement { return Judgement{Verdict: Invalid, Reason: Because(code)} }
	switch {
	case len(body) == 0:
		return Judgement{Verdict: Silent, Reason: Because(Empty)}
	case string(body) == SuccessBody:
		return Judgement{Verdict: Silent, Reason: Because(Success)}
	case expected.IsNotice:
		return refused(NoticeRefused)
	case looksLikeJSON(body) && !expected.JSON:
		return refused(JSONForXML)
	case looksLikeJSON(body):
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) && !bytes.HasPrefix(body, []byte(byteOrderMark)):
		return refused(NoDocument)
	}
	parsed, problem := parseReply(body)
	switch {
	case problem.Code != "":
		return Judgement{Verdict: Invalid, Reason: problem}
	case parsed.Encrypt != "":
		return judgeSealed(parsed, expected)
	case !expected.TakesClear:
		return refused(ClearInSafe)
	default:
		return judgeReply(parsed, expected)
	}
}

// judgeSealed decides about a reply in its envelope.
func judgeSealed(envelope reply, expected Expectation) Judgement {
	opened, problem := openReply(envelope, expected)
	if problem.Code != "" {
		return Judgement{Verdict: Invalid, Reason: problem}
	}
	judged := Judgement{Verdict: Invalid}
	if inner, problem := parseReply([]byte(opened)); problem.Code != "" {
		judged.Reason = problem.insideEnvelope()
	} else {
		judged = judgeReply(inner, expected)
	}
	judged.Opened = opened

	return judged
}

func openReply(sealed reply, expected Expectation) (opened string, problem Reason) {
	if expected.Cipher == nil {
		return "", Because(SealedInPlain)
	}
	if sealed.MsgSignature == "" || sealed.TimeStamp == "" || sealed.Nonce == "" {
		return "", Because(EnvelopeParts)
	}
	clearText, err := expected.Cipher.Open(strings.TrimSpace(sealed.MsgSignature), strings.TrimSpace(string(sealed.TimeStamp)),
		strings.TrimSpace(sealed.Nonce), strings.TrimSpace(sealed.Encrypt))
	switch {
	case errors.Is(err, msgcrypt.ErrSignature):
		return "", Because(BadSignature)
	case errors.Is(err, msgcrypt.ErrAppIDMismatch):
		return "", Because(OtherAppID)
	case err != nil:
		return "", Because(Unopenable, err)
	default:
		return string(clearText), Reason{}
	}
}

// judgeReply decides about a reply in clear.
func judgeReply(answer reply, expected Expectation) Judgement {
	if problem := checkAddress(answer, expected); problem.Code != "" {
		return Judgement{Verdict: Invalid, Reason: problem}
	}
	content, problem := readReply(answer, expected)
	switch {
	case problem.Code != "":
		return Judgement{Verdict: Invalid, Reason: problem}
	case !expected.Answerable:
		return Judgement{Verdict: Silent, Reason: Because(NotAnswered)}
	case strings.HasPrefix(answer.MsgType, "transfer_"):
		return Judgement{Verdict: Silent, Reason: Because(HandedOver, answer.MsgType)}
	default:
		content.Type = answer.MsgType

		return Judgement{Verdict: Shown, Reason: Because(Replied, answer.MsgType), Content: &content}
	}
}

func checkAddress(answer reply, expected Expectation) (problem Reason) {
	if to := strings.TrimSpace(answer.ToUserName); to != expected.Follower {
		return Because(WrongTo, to, expected.Follower)
	}
	if from := strings.TrimSpace(answer.FromUserName); from != expected.OriginalID {
		return Because(WrongFrom, from, expected.OriginalID)
	}
	if _, err := strconv.ParseInt(strings.TrimSpace(string(answer.CreateTime)), 10, 64); err != nil {
		return Because(WrongTime, answer.CreateTime)
	}

	return Reason{}
}

// readReply reads what a reply shows, or says what is wrong with it.
func readReply(answer reply, expected Expectation) (content Content, problem Reason) {
	switch answer.MsgType {
	case "text":
		return readText(answer)
	case "image":
		return readMedia(answer.Image, "Image", answer.MsgType, expected)
	case "voice":
		return readMedia(answer.Voice, "Voice", answer.MsgType, expected)
	case "video":
		return readMedia(answer.Video, "Video", answer.MsgType, expected)
	case "music":
		return readMusic(answer.Music, expected)
	case "news":
		return readNews(answer, expected)
	case "transfer_customer_service", "transfer_biz_ai_ivr":
		return Content{}, Reason{}
	case "":
		return Content{}, Because(NoType)
	default:
		return Content{}, Because(UnknownType, answer.MsgType)
	}
}

func readText(answer reply) (content Content, problem Reason) {
	switch {
	case answer.Content == nil || *answer.Content == "":
		return Content{}, Because(NoContent)
	case len(*answer.Content) > maxReplyText:
		return Content{}, Because(LongContent, len(*answer.Content), maxReplyText)
	default:
		return Content{Text: *answer.Content}, Reason{}
	}
}

func readMedia(file media, element, kind string, expected Expectation) (content Content, problem Reason) {
	id := strings.TrimSpace(file.MediaID)
	switch {
	case id == "":
		return Content{}, Because(NoMedia, element)
	case !expected.HasMaterial(id, kind):
		return Content{}, Because(UnknownMedia, element, id, kind)
	default:
		return Content{MediaID: id, Text: file.Title}, Reason{}
	}
}

// readMusic reads music, whose picture must be material of the account's; all the rest may be missing.
func readMusic(sent music, expected Expectation) (content Content, problem Reason) {
	picture, problem := readMedia(media{MediaID: sent.ThumbMediaID}, "Music thumb", "thumb", expected)
	if problem.Code != "" {
		return Content{}, problem
	}

	return Content{ThumbID: picture.MediaID, Articles: []Article{{
		Title: sent.Title, Description: sent.Description, URL: cmp.Or(sent.HQMusicURL, sent.MusicURL),
	}}}, Reason{}
}

func readNews(answer reply, expected Expectation) (content Content, problem Reason) {
	count, err := strconv.Atoi(strings.TrimSpace(string(answer.ArticleCount)))
	if err != nil || count != len(answer.Articles) || count == 0 {
		return Content{}, Because(WrongArticles, answer.ArticleCount, len(answer.Articles))
	}
	limit := maxArticlesForMessage
	if expected.IsEvent {
		limit = maxArticlesForEvent
	}

	return Content{Articles: answer.Articles[:min(limit, count)]}, Reason{} // Extra ones are dropped, not refused.
}
