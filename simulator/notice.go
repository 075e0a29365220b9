package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// PushVerifyTicket issues a component_verify_ticket and pushes it to the callback
// URL of the third-party platform (授权事件接收URL), as WeChat does every ten minutes.
func (p *Platform) PushVerifyTicket(ctx context.Context, componentAppID string) error {
	ticket, err := p.IssueVerifyTicket(componentAppID)
	if err != nil {
		return err
	}

	return p.pushNotice(ctx, componentAppID, "component_verify_ticket", func(w *xmlWriter) {
		w.text("ComponentVerifyTicket", ticket)
	})
}

// PushAuthorized tells the third-party platform that an account has authorised it,
// with the code that Authorize returned.
func (p *Platform) PushAuthorized(ctx context.Context, componentAppID, authorizerAppID, code string) error {
	return p.pushNotice(ctx, componentAppID, "authorized", func(w *xmlWriter) {
		w.text("AuthorizerAppid", authorizerAppID)
		w.text("AuthorizationCode", code)
		w.number("AuthorizationCodeExpiredTime", time.Now().Add(authCodeLifetime).Unix())
	})
}

// PushUnauthorized withdraws an account's authorisation and tells the third-party
// platform.
func (p *Platform) PushUnauthorized(ctx context.Context, componentAppID, authorizerAppID string) error {
	if err := p.Unauthorize(componentAppID, authorizerAppID); err != nil {
		return err
	}

	return p.pushNotice(ctx, componentAppID, "unauthorized", func(w *xmlWriter) {
		w.text("AuthorizerAppid", authorizerAppID)
	})
}

// pushNotice delivers a notice once. It is an error if the answer isn't success,
// the only one that WeChat takes. Notices hold secrets, so they aren't recorded.
func (p *Platform) pushNotice(ctx context.Context, componentAppID, infoType string, fields func(*xmlWriter)) error {
	sent, err := p.sealNotice(componentAppID, infoType, fields)
	if err != nil {
		return err
	}
	status, body, err := p.post(ctx, p.fresh, sent)
	switch {
	case err != nil:
		return fmt.Errorf("push %s: %s", infoType, p.describe(err))
	case status != http.StatusOK || strings.TrimSpace(string(body)) != successBody:
		return fmt.Errorf("push %s: status %d and %d bytes, the answer must be %s", infoType, status, len(body), successBody)
	}

	return nil
}

// sealNotice renders a notice; it is always encrypted.
func (p *Platform) sealNotice(componentAppID, infoType string, fields func(*xmlWriter)) (outgoing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	platform, err := p.state.component(componentAppID)
	if err != nil {
		return outgoing{}, err
	}
	if platform.CallbackURL == "" || platform.cipher == nil {
		return outgoing{}, fmt.Errorf("%w: platform %q needs a callback URL and an EncodingAESKey", ErrInvalid, platform.AppID)
	}
	notice := new(xmlWriter)
	notice.text("AppId", platform.AppID)
	notice.number("CreateTime", time.Now().Unix())
	notice.text("InfoType", infoType)
	fields(notice)
	query := newSignedQuery(platform.CallbackToken)
	envelope, err := platform.cipher.Seal([]byte(notice.document()), query.timestamp, query.nonce)
	if err != nil {
		return outgoing{}, fmt.Errorf("seal notice: %w", err)
	}
	query.values.Set("encrypt_type", "aes")
	query.values.Set("msg_signature", envelope.MsgSignature)
	target, err := query.url(platform.CallbackURL)
	if err != nil {
		return outgoing{}, err
	}
	body := new(xmlWriter)
	body.text("AppId", platform.AppID)
	body.text("Encrypt", envelope.Encrypt)

	return outgoing{url: target, body: body.document()}, nil
}
