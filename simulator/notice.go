package simulator

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// PushVerifyTicket issues a component_verify_ticket and pushes it to the callback
// URL of the third-party platform (授权事件接收URL), as WeChat does every ten minutes.
func (p *Platform) PushVerifyTicket(ctx context.Context, componentAppID string) error {
	ticket, err := p.IssueVerifyTicket(componentAppID)
	if err != nil {
		return err
	}

	return p.pushNotice(ctx, componentAppID, "component_verify_ticket", map[string]string{"ComponentVerifyTicket": ticket})
}

// PushAuthorized tells the third-party platform that an account has authorised it,
// with the code that Authorize returned.
func (p *Platform) PushAuthorized(ctx context.Context, componentAppID, authorizerAppID, code string) error {
	return p.pushNotice(ctx, componentAppID, "authorized", map[string]string{
		"AuthorizerAppid": authorizerAppID, "AuthorizationCode": code,
		"AuthorizationCodeExpiredTime": strconv.FormatInt(time.Now().Add(authCodeLifetime).Unix(), 10),
	})
}

// PushUnauthorized withdraws an account's authorisation and tells the third-party
// platform.
func (p *Platform) PushUnauthorized(ctx context.Context, componentAppID, authorizerAppID string) error {
	if err := p.Unauthorize(componentAppID, authorizerAppID); err != nil {
		return err
	}

	return p.pushNotice(ctx, componentAppID, "unauthorized", map[string]string{"AuthorizerAppid": authorizerAppID})
}

// pushNotice pushes a notice. It is an error if no answer is success, the only one that WeChat takes.
func (p *Platform) pushNotice(ctx context.Context, componentAppID, infoType string, fields map[string]string) error {
	result, err := p.Push(ctx, Push{Account: componentAppID, InfoType: infoType, Fields: fields})
	if err == nil && result.Outcome != OutcomeSilent {
		err = fmt.Errorf("push %s: %s", infoType, result.Deliveries[len(result.Deliveries)-1].Reason)
	}

	return err
}
