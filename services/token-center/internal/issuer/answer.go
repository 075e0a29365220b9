package issuer

import (
	"encoding/json"
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

// parse reads the answer of a token interface.
func parse(body []byte, secret config.Secret) (credential.Issued, error) {
	if code, message := errcode.Parse(body); code != errcode.Success {
		return credential.Issued{}, refused(code, clean(message, secret))
	}
	var answer struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return credential.Issued{}, malformed("is not the JSON it should be") // err could quote the token.
	}
	seconds, err := answer.ExpiresIn.Int64()
	switch {
	case answer.AccessToken == "" || strings.ContainsFunc(answer.AccessToken, notOfAToken):
		return credential.Issued{}, malformed("has no usable access_token")
	case err != nil || seconds <= 0 || seconds > int64(maxLife/time.Second):
		return credential.Issued{}, malformed("has no usable expires_in")
	}
	return credential.Issued{Value: config.NewSecret(answer.AccessToken), Life: time.Duration(seconds) * time.Second}, nil
}

// notOfAToken finds what could not stand in a URL or a log line; the token is opaque otherwise.
func notOfAToken(r rune) bool { return r <= ' ' || r > unicode.MaxASCII-1 }

func malformed(format string, args ...any) error {
	return fault.Wrap(fault.Unavailable, credential.ErrUncertain, "WeChat's answer to the token request %s", fmt.Sprintf(format, args...))
}

// refused makes a fault of WeChat's verdict. Nothing was issued.
func refused(code errcode.Code, message string) error {
	class := errcode.FromTokenEndpoint(code)
	return fault.Wrap(kindOf(class), &credential.RefusalError{Code: code, Message: message}, "WeChat refused the token request: errcode %d (%s): %s; %s", code, class, message, code.Remedy())
}

// kindOf tells what can be waited out from what somebody has to mend first.
func kindOf(class errcode.Class) fault.Kind {
	switch class {
	case errcode.Busy:
		return fault.Unavailable
	case errcode.RateLimited:
		return fault.Throttled
	case errcode.QuotaExhausted:
		return fault.QuotaSpent
	case errcode.OK, errcode.TokenRejected, errcode.SecretRejected, errcode.IPNotAllowed, errcode.WindowClosed,
		errcode.Unauthorized, errcode.InvalidRequest, errcode.Unknown:
		return fault.Precondition
	}
	return fault.Precondition
}

// clean makes an errmsg fit for a log: short, one line, and without the secret, should WeChat ever
// repeat it.
func clean(message string, secret config.Secret) string {
	if s := secret.Reveal(); s != "" {
		message = strings.ReplaceAll(message, s, secret.String())
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
