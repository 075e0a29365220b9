package issuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/wechat/errcode"
)

const (
	// maxLife is far more than the 7200 s of today; "obey the value, it may change", but not any value.
	maxLife = 30 * 24 * time.Hour
	// maxMessage cuts an errmsg, which comes from outside.
	maxMessage = 200
)

// parse reads an answer whose value stands in field.
func (c call) parse(body []byte, field string, judge judge) (credential.Issued, error) {
	if err := c.refusal(body, judge); err != nil {
		return credential.Issued{}, err
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return credential.Issued{}, c.malformed("is not the JSON it should be") // err could quote the value.
	}
	value, ok := c.value(answer[field])
	if !ok {
		return credential.Issued{}, c.malformed("has no usable %s", field)
	}
	life, ok := c.life(answer["expires_in"])
	if !ok {
		return credential.Issued{}, c.malformed("has no usable expires_in")
	}
	return credential.Issued{Value: value, Life: life}, nil
}

// value reads a credential.
func (call) value(raw json.RawMessage) (config.Secret, bool) {
	var value string
	if err := json.Unmarshal(raw, &value); err != nil || value == "" || strings.ContainsFunc(value, notOfAToken) {
		return config.Secret{}, false
	}
	return config.NewSecret(value), true
}

// life reads a number of seconds.
func (call) life(raw json.RawMessage) (time.Duration, bool) {
	var number json.Number
	if err := json.Unmarshal(raw, &number); err != nil {
		return 0, false
	}
	seconds, err := number.Int64()
	if err != nil || seconds <= 0 || seconds > int64(maxLife/time.Second) {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}

// notOfAToken finds what could not stand in a URL or a log line; the token is opaque otherwise.
func notOfAToken(r rune) bool { return r <= ' ' || r > unicode.MaxASCII-1 }

func (c call) malformed(format string, args ...any) error {
	return fault.Wrap(fault.Unavailable, credential.ErrUncertain, "WeChat's answer to the request for the %s %s", c.name, fmt.Sprintf(format, args...))
}

// refusal returns WeChat's verdict as a fault, nil if it is none. Nothing was issued.
func (c call) refusal(body []byte, judge judge) error {
	code, message := errcode.Parse(body)
	if code == errcode.Success {
		return nil
	}
	class, cause := judge(code)
	cause = errors.Join(cause, &credential.RefusalError{Code: code, Message: c.clean(message)})
	return fault.Wrap(kindOf(class), cause, "WeChat refused the request for the %s: errcode %d (%s)%s; %s",
		c.name, code, class, excerpt(message), code.Remedy())
}

// excerpt returns what of an errmsg may be shown: faults cross services and end in answers to callers, and
// an errmsg may repeat what the request carried.
func excerpt(errmsg string) string {
	var text string
	if address, ok := errcode.Address(errmsg); ok {
		text += ", sent from " + address.String()
	}
	if rid := errcode.RequestID(errmsg); rid != "" {
		text += ", rid " + rid
	}
	return text
}

// judge tells what a code means at an interface. The cause may be nil.
type judge func(errcode.Code) (class errcode.Class, cause error)

// atTokenEndpoint judges where the secret is what may be rejected.
func atTokenEndpoint(code errcode.Code) (errcode.Class, error) {
	return errcode.FromTokenEndpoint(code), nil
}

// withParent judges where the request carried a credential, which is what may be rejected.
func withParent(code errcode.Code) (errcode.Class, error) {
	class := code.Class()
	if class == errcode.TokenRejected {
		return class, credential.ErrParentRejected
	}
	return class, nil
}

// kindOf tells what can be waited out from what somebody has to mend first.
func kindOf(class errcode.Class) fault.Kind {
	switch class {
	case errcode.Busy, errcode.TokenRejected:
		return fault.Unavailable
	case errcode.RateLimited:
		return fault.Throttled
	case errcode.QuotaExhausted:
		return fault.QuotaSpent
	case errcode.OK, errcode.SecretRejected, errcode.IPNotAllowed, errcode.WindowClosed,
		errcode.Unauthorized, errcode.InvalidRequest, errcode.Unknown:
		return fault.Precondition
	}
	return fault.Precondition
}

// clean makes an errmsg fit for a log: short, one line, and without the secrets, should WeChat ever
// repeat one.
func (c call) clean(message string) string {
	for _, secret := range c.hidden {
		if s := secret.Reveal(); s != "" {
			message = strings.ReplaceAll(message, s, secret.String())
		}
	}
	message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, message)
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage]) + "…"
	}
	return message
}
