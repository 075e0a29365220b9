package simulator

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// Verdict is what WeChat makes of one delivery's answer.
type Verdict string

// The verdicts.
const (
	// VerdictShown means that a valid reply was shown to the follower.
	VerdictShown Verdict = "shown"
	// VerdictSilent means a valid answer that shows nothing: success or empty.
	VerdictSilent Verdict = "silent"
	// VerdictInvalid means an answer that WeChat can't use. It isn't retried.
	VerdictInvalid Verdict = "invalid"
	// VerdictNoAnswer means that nothing came in time. The message is sent again.
	VerdictNoAnswer Verdict = "no_answer"
)

const (
	// maxReplyText is the limit of a passive reply's Content in bytes (被动回复用户消息).
	maxReplyText = 2048
	// maxArticlesForMessage is how many articles may answer a message.
	maxArticlesForMessage = 1
	// maxArticlesForEvent is how many articles may answer an event.
	maxArticlesForEvent = 8
	// successBody is the answer that means "received, show nothing".
	successBody = "success"
)

// expectation is what a judge must know of the push that was answered.
type expectation struct {
	mode       Mode
	format     Format
	cipher     *msgcrypt.Cipher
	follower   string
	originalID string
	isEvent    bool
	isNotice   bool                            // Whether success is the only answer that WeChat takes.
	answerable bool                            // Whether WeChat shows a reply to such a push at all.
	hasMedia   func(mediaID, kind string) bool // Whether the platform knows the file.
}

// judgement is a verdict with its reason and what the follower sees.
type judgement struct {
	verdict Verdict
	reason  string
	opened  string // The reply in clear, when it came sealed.
	line    *ChatEntry
}

func invalid(opened, format string, args ...any) judgement {
	return judgement{verdict: VerdictInvalid, reason: fmt.Sprintf(format, args...), opened: opened}
}

// judge decides about the body of an answer with status 200. It does no I/O.
func judge(body []byte, expected expectation) judgement {
	switch {
	case len(body) == 0:
		return judgement{verdict: VerdictSilent, reason: "empty body: nothing is shown"}
	case string(body) == successBody:
		return judgement{verdict: VerdictSilent, reason: "success: nothing is shown"}
	case expected.isNotice:
		return invalid("", "the answer to a notice must be success")
	case looksLikeJSON(body) && expected.format != FormatJSON:
		return invalid("", "the body is JSON, but the account's data format (数据格式) is XML")
	case looksLikeJSON(body):
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) && !bytes.HasPrefix(body, []byte("\xEF\xBB\xBF")):
		return invalid("", "the body is neither success, empty, nor a reply document")
	}
	parsed, err := parseReply(body)
	if err != nil {
		return invalid("", "%v", err)
	}
	if parsed.Encrypt == "" {
		if expected.mode == ModeSafe {
			return invalid("", "clear text in safe mode: the reply must be sealed in an Encrypt element")
		}

		return judgeReply(parsed, "", expected)
	}
	opened, err := openReply(parsed, expected)
	if err != nil {
		return invalid("", "%v", err)
	}
	inner, err := parseReply([]byte(opened))
	if err != nil {
		return invalid(opened, "inside the envelope: %v", err)
	}

	return judgeReply(inner, opened, expected)
}

var (
	errSealedInPlain = errors.New("the reply is sealed, but the account is in plain mode")
	errEnvelope      = errors.New("the envelope must have Encrypt, MsgSignature, TimeStamp and Nonce")
)

func openReply(sealed reply, expected expectation) (string, error) {
	if !expected.mode.encrypts() || expected.cipher == nil {
		return "", errSealedInPlain
	}
	if sealed.MsgSignature == "" || sealed.TimeStamp == "" || sealed.Nonce == "" {
		return "", errEnvelope
	}
	opened, err := expected.cipher.Open(strings.TrimSpace(sealed.MsgSignature), strings.TrimSpace(string(sealed.TimeStamp)),
		strings.TrimSpace(sealed.Nonce), strings.TrimSpace(sealed.Encrypt))
	if err != nil {
		return "", fmt.Errorf("the sealed reply can't be opened: %w", err)
	}

	return string(opened), nil
}

// judgeReply decides about a reply in clear.
func judgeReply(answer reply, opened string, expected expectation) judgement {
	if problem := checkAddress(answer, expected); problem != "" {
		return invalid(opened, "%s", problem)
	}
	line, problem := readReply(answer, expected)
	if problem != "" {
		return invalid(opened, "%s", problem)
	}
	if !expected.answerable {
		return judgement{
			verdict: VerdictSilent, opened: opened,
			reason: "a valid reply, but WeChat shows none to this kind of event",
		}
	}
	line.Side, line.Channel, line.Type = SideAccount, ChannelReply, answer.MsgType
	verdict := judgement{verdict: VerdictShown, reason: "a valid " + answer.MsgType + " reply", opened: opened}
	if strings.HasPrefix(answer.MsgType, "transfer_") {
		verdict.reason = "handed over by " + answer.MsgType + ": nothing is shown"
		verdict.verdict = VerdictSilent

		return verdict
	}
	verdict.line = &line

	return verdict
}

func checkAddress(answer reply, expected expectation) string {
	if to := strings.TrimSpace(answer.ToUserName); to != expected.follower {
		return fmt.Sprintf("ToUserName is %q, must be the follower's OpenID %q", to, expected.follower)
	}
	if from := strings.TrimSpace(answer.FromUserName); from != expected.originalID {
		return fmt.Sprintf("FromUserName is %q, must be the account's original id %q", from, expected.originalID)
	}
	if _, err := strconv.ParseInt(strings.TrimSpace(string(answer.CreateTime)), 10, 64); err != nil {
		return fmt.Sprintf("CreateTime %q isn't an integer", answer.CreateTime)
	}

	return ""
}

// readReply turns a reply into a chat line, or says what is wrong with it.
func readReply(answer reply, expected expectation) (ChatEntry, string) {
	switch answer.MsgType {
	case "text":
		return readText(answer)
	case kindImage:
		return readMedia(answer.Image, "Image", kindImage, expected)
	case kindVoice:
		return readMedia(answer.Voice, "Voice", kindVoice, expected)
	case kindVideo:
		return readMedia(answer.Video, "Video", kindVideo, expected)
	case "music":
		return readMusic(answer.Music, expected)
	case "news":
		return readNews(answer, expected)
	case "transfer_customer_service", "transfer_biz_ai_ivr":
		return ChatEntry{}, ""
	case "":
		return ChatEntry{}, "MsgType is missing"
	default:
		return ChatEntry{}, fmt.Sprintf("MsgType %q is unknown; it is case-sensitive", answer.MsgType)
	}
}

func readText(answer reply) (ChatEntry, string) {
	switch {
	case answer.Content == nil || *answer.Content == "":
		return ChatEntry{}, "Content is missing or empty; answer success to show nothing"
	case len(*answer.Content) > maxReplyText:
		return ChatEntry{}, fmt.Sprintf("Content has %d bytes, at most %d are allowed", len(*answer.Content), maxReplyText)
	default:
		return ChatEntry{Text: *answer.Content}, ""
	}
}

func readMedia(file media, element, kind string, expected expectation) (ChatEntry, string) {
	id := strings.TrimSpace(file.MediaID)
	switch {
	case id == "":
		return ChatEntry{}, element + "/MediaId is missing"
	case !expected.hasMedia(id, kind):
		return ChatEntry{}, fmt.Sprintf("%s/MediaId %q isn't a %s that the platform knows", element, id, kind)
	default:
		return ChatEntry{MediaID: id, Text: file.Title}, ""
	}
}

// readMusic reads music, whose picture must be material of the account's; all the rest may be missing.
func readMusic(sent music, expected expectation) (ChatEntry, string) {
	line, problem := readMedia(media{MediaID: sent.ThumbMediaID}, "Music thumb", kindThumb, expected)
	if problem != "" {
		return ChatEntry{}, problem
	}

	return ChatEntry{ThumbID: line.MediaID, Articles: []Article{{
		Title: sent.Title, Description: sent.Description, URL: cmp.Or(sent.HQMusicURL, sent.MusicURL),
	}}}, ""
}

func readNews(answer reply, expected expectation) (ChatEntry, string) {
	count, err := strconv.Atoi(strings.TrimSpace(string(answer.ArticleCount)))
	if err != nil || count != len(answer.Articles) || count == 0 {
		return ChatEntry{}, fmt.Sprintf("ArticleCount is %q, there are %d articles", answer.ArticleCount, len(answer.Articles))
	}
	limit := maxArticlesForMessage
	if expected.isEvent {
		limit = maxArticlesForEvent
	}
	var line ChatEntry
	for _, article := range answer.Articles[:min(limit, count)] { // Extra ones are dropped, not refused.
		line.Articles = append(line.Articles, Article(article))
	}

	return line, ""
}
