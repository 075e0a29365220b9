package main

import (
	"context"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"
)

// proxy is api-proxy as far as an outbox sees it.
type proxy struct {
	apiproxyv1.ApiProxyServiceClient

	sent chan *apiproxyv1.SendCustomerServiceMessageRequest
}

func (p *proxy) SendCustomerServiceMessage(
	_ context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest, _ ...grpc.CallOption,
) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	p.sent <- req
	return &apiproxyv1.SendCustomerServiceMessageResponse{}, nil
}

func TestTheAccountBook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wechat := &proxy{sent: make(chan *apiproxyv1.SendCustomerServiceMessageRequest)}
		host := responder.Host{Telemetry: telemetry.Discard(), APIProxy: wechat}
		subject := answers(settings{Account: "wx1", Budget: 100}, newOutbox(wechat, host.Telemetry.Log), host)
		for _, step := range []struct{ account, key, says, want string }{
			{"wx1", "shadow", "书 999", "记下了：书 999 元，合计 999 元。"},
			{"wx1", "m1", "咖啡 18", "记下了：咖啡 18 元，合计 18 元。"},
			{"wx1", "m2", "书　 90", "记下了：书 90 元，合计 108 元。"},
			{"wx1", "m3", "书 10", "记下了：书 10 元，合计 118 元。"},
			{"wx1", "m2", "书　 90", "记下了：书 90 元，合计 108 元。"}, // asked again after a gateway died
			{"wx1", "m4", " 合计 ", "一共 3 笔，合计 118 元。"},
			{"wx1", "m5", "书 很贵", "看不懂。" + help},
			{"wx2", "m1", "咖啡 18", "这个公众号不记账。"},
		} {
			resp, err := subject.Reply(t.Context(), &logicv1.ReplyRequest{MessageKey: step.key, Shadow: step.key == "shadow", Message: &messagev1.Message{
				AppId: step.account, FromUserName: "o1", MsgType: "text",
				Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: step.says}},
			}})
			if got := resp.GetReply().GetText().GetContent(); err != nil || got != step.want {
				t.Errorf("%s in %s: %q, %v; want %q", step.says, step.account, got, err, step.want)
			}
		}
		for range 2 { // for m2, which was asked about twice
			if sent := <-wechat.sent; sent.GetIdempotencyKey() != "over-budget/m2" || sent.GetToUser() != "o1" || sent.GetAppId() != "wx1" {
				t.Errorf("sent %v", sent)
			}
		}
	})
}
