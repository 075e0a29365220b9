package callback

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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

// credentialsOf reads them from a query. It does what net/url does, the first of several values, and
// without a map of all that the query holds.
func credentialsOf(query string) credentials {
	var c credentials
	var encryption string
	var seen [5]bool
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, ok := unescape(pair)
		if !ok {
			continue
		}
		var field *string
		var index int
		switch name {
		case "signature":
			field, index = &c.signature, 0
		case "msg_signature":
			field, index = &c.msgSignature, 1
		case "timestamp":
			field, index = &c.timestamp, 2
		case "nonce":
			field, index = &c.nonce, 3
		case "encrypt_type":
			field, index = &encryption, 4
		default:
			continue
		}
		if !seen[index] {
			*field, seen[index] = value, true
		}
	}
	c.encrypted = encryption == "aes"
	return c
}

// unescape splits a pair of a query; ok is false if net/url would drop it.
func unescape(pair string) (name, value string, ok bool) {
	if strings.Contains(pair, ";") {
		return "", "", false
	}
	name, value, _ = strings.Cut(pair, "=")
	if !strings.ContainsAny(pair, "%+") {
		return name, value, true
	}
	name, err := url.QueryUnescape(name)
	if err != nil {
		return "", "", false
	}
	value, err = url.QueryUnescape(value)
	return name, value, err == nil
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

// sealed reports whether the body has to be opened.
//
// In plaintext mode the encryption is ignored: a body of compatible mode has the clear elements as well,
// so that switching the console before this configuration loses nothing.
func (c credentials) sealed(a *accounts.Account) bool {
	return c.encrypted && a.Encryption != account.EncryptionPlain
}

// admit refuses what can be refused without the body: by the time, and for a push in clear by the mode of
// the account and by the signature.
func (c credentials) admit(a *accounts.Account, now time.Time, window time.Duration) error {
	switch {
	case c.sealed(a):
	case a.Encryption == account.EncryptionSafe:
		return refuse(http.StatusForbidden, outcomePlaintext,
			"account %s is in safe mode (安全模式), but this push is in clear text", a.AppID)
	case !a.Verify(c.signature, c.timestamp, c.nonce):
		return wrongSignature(a)
	}
	return c.fresh(now, window)
}

// addressee returns the account that a push names in its body. Nothing of it can be trusted yet. To whom
// is none of ours the answer is the same as for a wrong signature, so that nobody learns which are.
func (c credentials) addressee(d *accounts.Directory, body []byte) (*accounts.Account, error) {
	var address string
	if c.encrypted {
		envelope, err := message.ParseEnvelope(body)
		if err != nil {
			return nil, noCipherText(err)
		}
		address = cmp.Or(envelope.ToUserName, envelope.AppID)
	} else {
		in, err := message.Parse(body)
		if err != nil {
			return c.signer(d)
		}
		address = in.ToUserName
	}
	a, ok := d.FindByAddress(address)
	if !ok {
		return nil, refuse(http.StatusForbidden, outcomeUnknown,
			"push is for %.40q, which is original_id or app_id of no account in the accounts file", address)
	}
	return a, nil
}

// signer returns an account in whose name a push in clear is signed. It is for those that cannot be read: if
// WeChat sent it, the follower must not be shown an error notice for it.
func (c credentials) signer(d *accounts.Directory) (*accounts.Account, error) {
	a, ok := d.Verifying(c.signature, c.timestamp, c.nonce)
	if !ok {
		return nil, wrongSignature(nil)
	}
	return a, nil
}

// noCipherText refuses a push that claims to be encrypted: without a cipher text there is nothing in it that
// could be authentic.
func noCipherText(err error) *refusal {
	return refuse(http.StatusForbidden, outcomeBadSignature, "encrypted push: %v", err)
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

// wrongSignature refuses what was not signed with the Token of the account, or, for nil, of any account.
func wrongSignature(a *accounts.Account) *refusal {
	whose := "some account"
	if a != nil {
		whose = "account " + a.AppID
	}
	return refuse(http.StatusForbidden, outcomeBadSignature,
		"signature does not match: callback_token_file of %s must hold the Token (令牌) of the console", whose)
}

// open takes the clear push out of an encrypted one. The cipher that it returns has to seal the reply.
// An error that is not a refusal means that the push is WeChat's but cannot be read.
//
// In compatible mode the body has the clear elements too. They are not looked at, because no signature
// covers them.
func (c credentials) open(a *accounts.Account, body []byte) ([]byte, *msgcrypt.Cipher, error) {
	envelope, err := message.ParseEnvelope(body)
	if err != nil {
		return nil, nil, noCipherText(err)
	}
	plaintext, cipher, err := a.Open(c.msgSignature, c.timestamp, c.nonce, envelope.Encrypt)
	if errors.Is(err, msgcrypt.ErrSignature) {
		return nil, nil, wrongSignature(a)
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
	format := message.FormatOf(answer)
	if cipher == nil {
		return answer, typeOf(format), nil
	}
	sealed, err := cipher.Seal(answer, strconv.FormatInt(now.Unix(), 10), nonce)
	if err != nil {
		return nil, "", fmt.Errorf("seal reply: %w", err)
	}
	return message.RenderEnvelope(sealed, format), typeOf(format), nil
}

func typeOf(format message.Format) string {
	if format == message.JSON {
		return jsonType
	}
	return xmlType
}

// WeChat looks at the body only; these are for humans and proxies.
const (
	textType = "text/plain; charset=utf-8"
	xmlType  = "application/xml; charset=utf-8"
	jsonType = "application/json; charset=utf-8"
)
