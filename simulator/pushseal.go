package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
	"github.com/wxstack/wxstack/simulator/internal/explain"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// receiver is whose server gets a push: the account's own, or that of the third-party platform that it has authorised.
type receiver struct {
	secrets  explain.Secrets
	cipher   *msgcrypt.Cipher
	url      string
	mode     Mode   // That the receiver insists on; empty leaves it to the push.
	envelope string // ToUserName of the envelope, or, for notices, AppId.
	address  string
}

// receiver returns where a push goes.
func (s *state) receiver(account *accountState, push Push) (receiver, error) {
	found := receiver{
		secrets: explain.Secrets{Token: account.CallbackToken, EncodingAESKey: account.EncodingAESKey, AppID: account.AppID},
		cipher:  account.cipher, url: account.CallbackURL, envelope: "ToUserName", address: account.OriginalID,
	}
	switch platform := s.platformOf(account); {
	case push.InfoType != "":
		if account.Kind != KindPlatform {
			return found, fmt.Errorf("%w: info_type is for a third-party platform, which %q isn't", ErrInvalid, account.AppID)
		}
		found.mode, found.envelope, found.address = ModeSafe, "AppId", account.AppID
	case account.Kind != KindAccount:
		return found, fmt.Errorf("%w: account %q is no Official Account, nobody writes to it", ErrInvalid, account.AppID)
	case platform != nil && push.URL == "":
		found.secrets = explain.Secrets{Token: platform.CallbackToken, EncodingAESKey: platform.EncodingAESKey, AppID: platform.AppID}
		found.cipher, found.mode = platform.cipher, ModeSafe
		found.url = strings.ReplaceAll(platform.MessageURL, "$APPID$", account.AppID)
	}
	if push.URL != "" {
		found.url = push.URL
	}
	switch {
	case found.url == "":
		return found, fmt.Errorf("%w: account %q has %w, set it first", ErrInvalid, account.AppID, errNoCallback)
	case found.cipher == nil && (push.Mode.encrypts() || found.mode != ""):
		return found, fmt.Errorf("%w: account %q has no EncodingAESKey, which %s mode needs", ErrInvalid, found.secrets.AppID, push.Mode)
	}

	return found, nil
}

// platformOf returns the third-party platform that gets the account's messages, nil if there is none.
func (s *state) platformOf(account *accountState) *accountState {
	for _, appID := range s.order {
		platform := s.accounts[appID]
		if _, authorized := platform.component.refresh[account.AppID]; authorized && platform.MessageURL != "" {
			return platform
		}
	}

	return nil
}

// seal renders the push, signs it, and encrypts it where the mode asks for that.
func seal(push Push, document pushed, target receiver) (outgoing, error) {
	if target.mode != "" { // Third-party platforms have safe mode and XML only.
		if document.own != "" && push.Format == FormatJSON {
			return outgoing{}, fmt.Errorf("%w: a third-party platform gets XML only, the document is JSON", ErrInvalid)
		}
		push.Mode, push.Format = target.mode, FormatXML
	}
	sent := outgoing{
		push: push, document: document, receiver: target, clear: document.own,
		expected: verdict.Expectation{
			TakesClear: push.Mode != ModeSafe, JSON: push.Format == FormatJSON, Follower: push.From,
			OriginalID: cmp.Or(document.element.Value("ToUserName"), target.address), IsEvent: document.isEvent, Answerable: document.answerable,
			IsNotice: push.InfoType != "",
		},
	}
	if sent.clear == "" {
		sent.clear = push.Format.render(document.element)
	}
	query := newSignedQuery(target.secrets.Token)
	if push.InfoType == "" {
		query.values.Set("openid", push.From)
	}
	sent.body = sent.clear
	if push.Mode.encrypts() {
		sent.expected.Cipher = target.cipher
		envelope, err := target.cipher.Seal([]byte(sent.clear), query.timestamp, query.nonce)
		if err != nil {
			return outgoing{}, fmt.Errorf("seal push: %w", err)
		}
		query.values.Set("encrypt_type", "aes")
		query.values.Set("msg_signature", envelope.MsgSignature)
		sent.body = push.Format.render(envelopeOf(push.Mode, document.element, target, envelope.Encrypt))
	}
	var err error
	sent.url, err = query.url(target.url)

	return sent, err
}

// forged is the same message as somebody would send it who doesn't know the Token.
func (o outgoing) forged() (outgoing, error) {
	stranger := o.receiver
	stranger.secrets.Token += "?"
	if stranger.cipher != nil {
		cipher, err := msgcrypt.New(stranger.secrets.AppID, stranger.secrets.Token, stranger.secrets.EncodingAESKey)
		if err != nil {
			return outgoing{}, fmt.Errorf("forge push: %w", err)
		}
		stranger.cipher = cipher
	}
	forged, err := seal(o.push, o.document, stranger)
	forged.expected = o.expected // The answer is judged as any other.

	return forged, err
}

// envelopeOf is the document that is sent in place of the clear one, or, in compatible mode, around it.
func envelopeOf(mode Mode, clearText catalog.Element, target receiver, encrypted string) catalog.Element {
	sealed := catalog.Element{Name: catalog.Root}
	if mode == ModeCompatible {
		sealed.Children = append(sealed.Children, clearText.Children...)
	} else {
		sealed.Children = append(sealed.Children, catalog.Text(target.envelope, target.address))
	}
	sealed.Children = append(sealed.Children, catalog.Text("Encrypt", encrypted))

	return sealed
}

// render writes a document in the format.
func (f Format) render(document catalog.Element) string {
	if f == FormatJSON {
		return catalog.JSONDocument(document)
	}

	return document.XML()
}

// contentType is the Content-Type of pushes in the format.
func (f Format) contentType() string {
	if f == FormatJSON {
		return "application/json"
	}

	return "text/xml"
}

// headerOf is the header of every push.
func headerOf(format Format) http.Header {
	return http.Header{"Content-Type": {format.contentType()}, "User-Agent": {userAgent}}
}

// userAgent is what WeChat's servers call themselves.
const userAgent = "Mozilla/4.0"
