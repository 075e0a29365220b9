package callback

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// credentials are the query parameters by which a push proves that it is WeChat's.
type credentials struct {
	signature    string
	msgSignature string
	timestamp    string
	nonce        string
	// encrypted says that the body holds a cipher text: encrypt_type is aes. Absent or raw means clear.
	encrypted bool
}

func credentialsOf(query url.Values) credentials {
	return credentials{
		signature:    query.Get("signature"),
		msgSignature: query.Get("msg_signature"),
		timestamp:    query.Get("timestamp"),
		nonce:        query.Get("nonce"),
		encrypted:    query.Get("encrypt_type") == "aes",
	}
}

// refusal says that a request is not WeChat's, or not as the account is configured.
type refusal struct {
	status  int
	outcome outcome
	reason  string
}

func (r *refusal) Error() string { return r.reason }

func refuse(status int, o outcome, format string, args ...any) *refusal {
	return &refusal{status: status, outcome: o, reason: fmt.Sprintf(format, args...)}
}

// admit decides whether the body of a request is worth reading: the time, and for a push in clear the
// mode of the account and the signature, none of which needs the body. It returns whether the body has to
// be opened.
//
// In plaintext mode the encryption is ignored: a body of compatible mode has the clear elements as well,
// so that switching the console before this configuration loses nothing.
func (c credentials) admit(a *accounts.Account, now time.Time, window time.Duration) (encrypted bool, err error) {
	if c.encrypted && a.Encryption != account.EncryptionPlain {
		return true, c.fresh(now, window)
	}
	if a.Encryption == account.EncryptionSafe {
		return false, refuse(http.StatusForbidden, outcomePlaintext,
			"account %s is in safe mode (安全模式), but this push is in clear text", a.AppID)
	}
	if !a.Verify(c.signature, c.timestamp, c.nonce) {
		return false, c.wrongSignature(a)
	}
	return false, c.fresh(now, window)
}

// fresh refuses a timestamp that is far off: the request is somebody's recording of an old one.
func (c credentials) fresh(now time.Time, window time.Duration) error {
	timestamp, err := strconv.ParseInt(c.timestamp, 10, 64)
	if err != nil || !withinWindow(timestamp, now, window) {
		return refuse(http.StatusForbidden, outcomeStale,
			"timestamp %.20q is not within %v of this server's clock, check that both keep time", c.timestamp, window)
	}
	return nil
}

func (c credentials) wrongSignature(a *accounts.Account) *refusal {
	return refuse(http.StatusForbidden, outcomeBadSignature,
		"signature does not match: callback_token_file of account %s must hold the Token (令牌) of the console", a.AppID)
}

// open takes the clear push out of an encrypted one. The cipher that it returns has to seal the reply.
// An error that is not a refusal means that the push is WeChat's but cannot be read.
//
// In compatible mode the body has the clear elements too. They are not looked at, because no signature
// covers them.
func (c credentials) open(a *accounts.Account, body []byte) ([]byte, *msgcrypt.Cipher, error) {
	envelope, err := message.ParseEnvelope(body)
	if err != nil {
		// Without a cipher text there is nothing that could be authentic.
		return nil, nil, refuse(http.StatusForbidden, outcomeBadSignature, "encrypted push: %v", err)
	}
	plaintext, cipher, err := a.Open(c.msgSignature, c.timestamp, c.nonce, envelope.Encrypt)
	if errors.Is(err, msgcrypt.ErrSignature) {
		return nil, nil, c.wrongSignature(a)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open push, check that encoding_aes_key_file holds the EncodingAESKey of the console: %w", err)
	}
	return plaintext, cipher, nil
}

// seal returns the body and the content type of an answer. A nil cipher leaves it in clear; "success" is
// never encrypted.
func seal(answer []byte, cipher *msgcrypt.Cipher, nonce string, now time.Time) (body []byte, contentType string, err error) {
	if string(answer) == message.Success {
		return answer, textType, nil
	}
	if cipher == nil {
		return answer, xmlType, nil
	}
	sealed, err := cipher.Seal(answer, strconv.FormatInt(now.Unix(), 10), nonce)
	if err != nil {
		return nil, "", fmt.Errorf("seal reply: %w", err)
	}
	return message.RenderEnvelope(sealed), xmlType, nil
}

// WeChat looks at the body only; these are for humans and proxies.
const (
	textType = "text/plain; charset=utf-8"
	xmlType  = "application/xml; charset=utf-8"
)
