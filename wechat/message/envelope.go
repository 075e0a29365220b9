package message

import (
	"fmt"
	"strconv"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// Envelope is the outside of an encrypted push.
type Envelope struct {
	// Format is how it was written. The push inside has the same.
	Format Format
	// ToUserName is the account's original id. No signature covers it.
	ToUserName string
	// AppID is set instead of ToUserName in a push of a third-party platform
	// (第三方平台) to itself.
	AppID string
	// Encrypt is the cipher text in base64, for msgcrypt to open.
	Encrypt string
}

// ParseEnvelope reads the body of an encrypted push. In safe mode (安全模式) it
// has ToUserName and Encrypt only; in compatible mode (兼容模式) it has all the
// clear elements as well, which are ignored, because no signature covers them.
// An error is a msgcrypt.Error with CodeParseXML and wraps ErrMalformed.
func ParseEnvelope(body []byte) (Envelope, error) {
	format := FormatOf(body)
	elements, err := scan(body, format)
	if err != nil {
		return Envelope{}, &msgcrypt.Error{Code: msgcrypt.CodeParseXML, Err: err}
	}
	t := taker{fields: elements, left: len(elements)}
	envelope := Envelope{
		Format:     format,
		ToUserName: t.word("ToUserName"),
		AppID:      t.word("AppId"),
		Encrypt:    t.word("Encrypt"),
	}
	if envelope.Encrypt == "" {
		return Envelope{}, &msgcrypt.Error{Code: msgcrypt.CodeParseXML, Err: fmt.Errorf(
			"%w: element Encrypt is missing or empty: the account may be in plaintext mode (明文模式)", ErrMalformed)}
	}

	return envelope, nil
}

// RenderEnvelope writes a sealed reply as WeChat expects it, in the format of the
// reply inside, which Render wrote; Success is never sealed.
func RenderEnvelope(sealed msgcrypt.Envelope, format Format) []byte {
	return format.render([]node{
		{name: "Encrypt", text: sealed.Encrypt},
		{name: "MsgSignature", text: sealed.MsgSignature},
		// It may stem from a query parameter, so it must not become markup, and it
		// has to stay as it was signed.
		{name: "TimeStamp", text: sealed.TimeStamp, number: isNumber(sealed.TimeStamp)},
		{name: "Nonce", text: sealed.Nonce},
	})
}

// isNumber reports whether text is a whole number that reads the same in both formats.
func isNumber(text string) bool {
	number, err := strconv.ParseUint(text, 10, 64)

	return err == nil && strconv.FormatUint(number, 10) == text
}
