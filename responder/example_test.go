package responder_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/responder"
)

// text is what the gateway asks when a follower of an account writes.
func text(appID, content string) *logicv1.ReplyRequest {
	return &logicv1.ReplyRequest{Message: &messagev1.Message{
		AppId: appID, FromUserName: "oFOLLOWER", MsgType: "text",
		Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: content}},
	}}
}

// show asks a handler and prints its answer.
func show(handler responder.Handler, req *logicv1.ReplyRequest) {
	resp, err := handler.Reply(context.Background(), req)
	fmt.Printf("%q by %q, error %v\n", resp.GetReply().GetText().GetContent(), resp.GetRule(), err)
}

// double does what no rule file can: it computes.
func double(_ context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	if n, err := strconv.Atoi(strings.TrimSpace(req.GetMessage().GetText().GetContent())); err == nil {
		return responder.Text(fmt.Sprintf("两倍是 %d。", 2*n)), nil
	}
	return responder.Text("请发一个数字。"), nil
}

func ExampleHandlerFunc() {
	show(responder.HandlerFunc(double), text("wx1", "21"))
	// Output: "两倍是 42。" by "", error <nil>
}

// The whole of a program: LogicService, health, settings, logs, metrics and an orderly stop.
func ExampleMain() { //nolint:testableexamples // it runs until SIGTERM.
	responder.Main(responder.Program{
		Name: "double",
		Build: func(context.Context, responder.Host) (responder.Handler, error) {
			return responder.HandlerFunc(double), nil
		},
	})
}

// announced is a middleware of one's own.
func announced(name string) responder.Middleware {
	return func(next responder.Handler) responder.Handler {
		return responder.HandlerFunc(func(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
			fmt.Println(name, "gets the message")
			defer fmt.Println(name, "gets the answer")
			return next.Reply(ctx, req)
		})
	}
}

// The first middleware is the outermost.
func ExampleChain() {
	handler := responder.Chain(responder.HandlerFunc(double), announced("first"), announced("second"))
	show(handler, text("wx1", "21"))
	// Output:
	// first gets the message
	// second gets the message
	// second gets the answer
	// first gets the answer
	// "两倍是 42。" by "", error <nil>
}

func ExampleByAccount() {
	handler := responder.ByAccount(map[string]responder.Handler{
		"wx1": responder.Chain(responder.HandlerFunc(double), responder.Named("double")),
	}, responder.Chain(responder.Always(responder.Silence()), responder.Named("others")))
	show(handler, text("wx1", "21"))
	show(handler, text("wx2", "21"))
	// Output:
	// "两倍是 42。" by "double", error <nil>
	// "" by "others", error <nil>
}

// A backend that takes too long is given up in time, and the follower reads why.
func ExampleTimeout() {
	backend := responder.HandlerFunc(func(ctx context.Context, _ *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	show(responder.Chain(backend, responder.Timeout(time.Millisecond, responder.Text("现在有点忙，请稍后再试。"))), text("wx1", "21"))
	// Output: "现在有点忙，请稍后再试。" by "", error <nil>
}
