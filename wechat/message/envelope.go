package message

import (
	"fmt"
	"strings"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// Envelope is the outer XML of an encrypted push.
type Envelope struct {
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
// Errors wrap ErrMalformed; the official library's code for them is -40002.
func ParseEnvelope(body []byte) (Envelope, error) {
	elements, err := scan(body)
	if err != nil {
		return Envelope{}, err
	}
	t := taker{fields: elements, taken: make([]bool, len(elements))}
	envelope := Envelope{
		ToUserName: strings.TrimSpace(t.text("ToUserName")),
		AppID:      strings.TrimSpace(t.text("AppId")),
		Encrypt:    strings.TrimSpace(t.text("Encrypt")),
	}
	if envelope.Encrypt == "" {
		return Envelope{}, fmt.Errorf("%w: element Encrypt is missing or empty: the account may be in plaintext mode (明文模式)",
			ErrMalformed)
	}

	return envelope, nil
}

// RenderEnvelope writes a sealed reply as the XML that WeChat expects. The reply
// inside was written by Render; Success is never sealed.
func RenderEnvelope(sealed msgcrypt.Envelope) []byte {
	w := writer{}
	w.raw("<xml>")
	w.text("Encrypt", sealed.Encrypt)
	w.text("MsgSignature", sealed.MsgSignature)
	if isDecimal(sealed.TimeStamp) {
		w.raw("<TimeStamp>" + sealed.TimeStamp + "</TimeStamp>")
	} else {
		// It may stem from a query parameter, so it must not become markup.
		w.text("TimeStamp", sealed.TimeStamp)
	}
	w.text("Nonce", sealed.Nonce)
	w.raw("</xml>")

	return w.buffer
}

// isDecimal reports whether text consists of ASCII digits.
func isDecimal(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
