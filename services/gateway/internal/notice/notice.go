// Package notice hands what WeChat tells third-party platforms (第三方平台, 授权事件推送) to token-center: the
// secrets in it are credentials, which logic has no use for.
package notice

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/message"
)

// The notices that carry credentials, or end them.
const (
	verifyTicket     = "component_verify_ticket"
	authorized       = "authorized"
	updateAuthorized = "updateauthorized"
	unauthorized     = "unauthorized"
)

// pause lies between two attempts to reach token-center.
const pause = 500 * time.Millisecond

// Router is a late.Replier that hands notices to token-center and asks logic about the rest.
type Router struct {
	center tokenv1.PlatformServiceClient
	logic  late.Replier
}

// NewRouter returns a Router over both.
func NewRouter(center tokenv1.PlatformServiceClient, logic late.Replier) *Router {
	return &Router{center: center, logic: logic}
}

// rule is the name of what decided, where logic was not asked.
const rule = "token-center"

// Reply implements late.Replier. A verify ticket is token-center's alone; of authorisations and withdrawals
// logic learns afterwards, when the account has its tokens, or has them no more. A notice that could not
// be handed over is a failure: WeChat sends another ticket within minutes, but not another code.
func (r *Router) Reply(
	ctx context.Context, appID string, in message.Message, deliveryEnds, budgetEnds time.Time,
) (message.Reply, string, error) {
	if in.Notice == nil {
		return r.logic.Reply(ctx, appID, in, deliveryEnds, budgetEnds)
	}
	// Whoever can sign for one account must not speak for another's platform.
	if in.Notice.AppID != appID {
		return nil, rule, fault.New(fault.Invalid, "the notice %q to account %s names another platform, %.40q", in.Notice.InfoType, appID, in.Notice.AppID)
	}
	if err := r.insist(ctx, in); err != nil {
		return nil, rule, fmt.Errorf("hand the notice %q to token-center: %w", in.Notice.InfoType, err)
	}
	if in.Notice.InfoType == verifyTicket {
		return nil, rule, nil
	}
	return r.logic.Reply(ctx, appID, in, deliveryEnds, budgetEnds)
}

// Begin implements late.Replier: messages go to logic as they would without a Router. A notice has to wait for
// token-center, which is Reply's business.
func (r *Router) Begin(
	appID string, in message.Message, deliveryEnds, budgetEnds, until time.Time,
	done func(reply message.Reply, rule string, again bool, err error),
) (cancel func()) {
	if in.Notice != nil {
		return nil
	}
	return r.logic.Begin(appID, in, deliveryEnds, budgetEnds, until, done)
}

// insist goes on handing over until ctx ends while token-center is not available.
func (r *Router) insist(ctx context.Context, in message.Message) error {
	for {
		err := r.handOver(ctx, in)
		if err == nil || fault.KindOf(err) != fault.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(fault.Deadline, err, "token-center was not available in time; check TOKEN_CENTER_ADDR and whether it runs")
		case <-time.After(max(pause, fault.RetryAfter(err))):
		}
	}
}

func (r *Router) handOver(ctx context.Context, in message.Message) error {
	n := in.Notice
	var err error
	switch n.InfoType {
	case verifyTicket:
		_, err = r.center.StoreVerifyTicket(ctx, &tokenv1.StoreVerifyTicketRequest{
			ComponentAppId: n.AppID, VerifyTicket: n.ComponentVerifyTicket.Reveal(), CreateTime: timestamppb.New(time.Unix(in.CreateTime, 0)),
		})
	case authorized, updateAuthorized:
		_, err = r.center.ExchangeAuthorizationCode(ctx, &tokenv1.ExchangeAuthorizationCodeRequest{
			ComponentAppId: n.AppID, AuthorizationCode: n.AuthorizationCode.Reveal(),
		})
	case unauthorized:
		_, err = r.center.RevokeAuthorization(ctx, &tokenv1.RevokeAuthorizationRequest{
			ComponentAppId: n.AppID, AuthorizerAppId: n.AuthorizerAppID,
		})
	}
	return err
}
