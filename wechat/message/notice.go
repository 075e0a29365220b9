package message

import (
	"errors"
	"fmt"
	"io"
)

// Notice is what WeChat tells a third-party platform (第三方平台) about itself and
// the accounts that authorised it (授权事件推送). It is neither a message nor an
// event: nobody sent it, and success is its only answer.
type Notice struct {
	// AppID is the platform's own (component_appid).
	AppID string
	// InfoType says what happened, for example component_verify_ticket or authorized.
	InfoType string
	// AuthorizerAppID is the account that it happened to.
	AuthorizerAppID string
	// ComponentVerifyTicket is what the platform's access token is obtained with;
	// the newest counts.
	ComponentVerifyTicket Secret
	// AuthorizationCode is exchanged for the tokens of the account.
	AuthorizationCode Secret
	// AuthorizationCodeExpiredTime is in Unix seconds.
	AuthorizationCodeExpiredTime int64
	// PreAuthCode tells which request for authorisation was granted.
	PreAuthCode Secret
}

// Secret is a text that no log may show: every way to print it shows a mask
// instead. The zero value is an empty text.
type Secret struct {
	// A pointer, because fmt looks into structs without asking their methods once a
	// verb doesn't fit, as in Printf("%s", message).
	text *string
}

func secret(text string) Secret {
	if text == "" {
		return Secret{}
	}

	return Secret{text: &text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}

	return *s.text
}

// Equal reports whether both are the same text, for tests.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// mask is what a secret prints as.
func (s Secret) mask() string {
	if s.text == nil {
		return ""
	}

	return "[secret]"
}

// Format implements fmt.Formatter for all verbs.
func (s Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.mask()) }

// MarshalText implements encoding.TextMarshaler, which encoding/json and log/slog use.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.mask()), nil }

// notice takes a notice, once InfoType is known to be there.
func (t *taker) notice() (*Notice, error) {
	n := &Notice{AppID: t.word("AppId"), InfoType: t.word("InfoType")}
	if err := errors.Join(missing("AppId", n.AppID), missing("InfoType", n.InfoType)); err != nil {
		return nil, err
	}
	// Each kind of notice has a name of its own for the account. AppId and appid may
	// both occur in one and mean different accounts.
	n.AuthorizerAppID = t.first("AuthorizerAppid", "authorizer_appid", "appid", "verify_appid")
	n.ComponentVerifyTicket = secret(t.text("ComponentVerifyTicket"))
	n.AuthorizationCode = secret(t.first("AuthorizationCode", "auth_code"))
	n.AuthorizationCodeExpiredTime = t.integer("AuthorizationCodeExpiredTime")
	n.PreAuthCode = secret(t.text("PreAuthCode"))

	return n, nil
}

// first takes the first of the elements that is there.
func (t *taker) first(names ...string) string {
	for _, name := range names {
		if t.contains(name) {
			return t.word(name)
		}
	}

	return ""
}
