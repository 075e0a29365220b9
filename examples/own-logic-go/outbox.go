package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"
)

const (
	// lead lets the reply reach the follower first: nobody is told when it has.
	lead = 500 * time.Millisecond
	// sendTimeout is how long a message is worth trying. What waits ends within the 20 s of an orderly stop.
	sendTimeout = 10 * time.Second
	// retryPause is for when api-proxy does not say when to come back.
	retryPause = time.Second
)

// outbox sends customer-service messages (客服消息) after the replies.
type outbox struct {
	proxy apiproxyv1.ApiProxyServiceClient
	log   *slog.Logger
	work  sync.WaitGroup
}

func newOutbox(proxy apiproxyv1.ApiProxyServiceClient, log *slog.Logger) *outbox {
	return &outbox{proxy: proxy, log: log}
}

// Run implements lifecycle.Part: it waits until what was to be sent is sent or given up.
func (o *outbox) Run(ctx context.Context) error {
	<-ctx.Done()
	o.work.Wait()
	return nil
}

// send sends a text to whoever wrote msg, and returns at once: a reply never waits for what follows it.
func (o *outbox) send(msg *messagev1.Message, key, content string) {
	req := &apiproxyv1.SendCustomerServiceMessageRequest{
		AppId: msg.GetAppId(), ToUser: msg.GetFromUserName(), Message: responder.Text(content).GetReply(), IdempotencyKey: key,
	}
	o.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), lead+sendTimeout)
		defer cancel()
		lifecycle.Sleep(ctx, lead)
		if err := o.deliver(ctx, req); err != nil {
			o.log.Warn("customer-service message was not sent", "app_id", req.GetAppId(), "error", err)
		}
	})
}

// deliver repeats a call that may help another time, which its idempotency key makes safe.
func (o *outbox) deliver(ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest) error {
	for {
		resp, err := o.proxy.SendCustomerServiceMessage(ctx, req)
		if err == nil && resp.GetErrcode() != 0 {
			return fault.New(fault.Precondition, "WeChat refused it with errcode %d", resp.GetErrcode())
		}
		if err == nil || !worthRepeating(err) || !lifecycle.Sleep(ctx, max(fault.RetryAfter(err), retryPause)) {
			return err
		}
	}
}

// worthRepeating knows that api-proxy says when to come back if that may help. It can't when nobody reaches it.
func worthRepeating(err error) bool {
	return fault.RetryAfter(err) > 0 || fault.KindOf(err) == fault.Unavailable
}
