package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// A message opens an allowance of five (下发条数), each message back lessens it, and WeChat's verdict ends it.
func TestWhatAFollowerAllowsIsCounted(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	conn, err := grpc.NewClient(s.APIProxyGRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	proxy := apiproxyv1.NewApiProxyServiceClient(conn)
	const from = "oALLOWANCE01"
	send := func() *apiproxyv1.SendCustomerServiceMessageResponse {
		t.Helper()
		resp, err := proxy.SendCustomerServiceMessage(t.Context(), &apiproxyv1.SendCustomerServiceMessageRequest{
			ToUser: from, Message: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: "有新消息"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	s.Platform.Push(harness.Push{Type: simulator.TypeText, Content: "你好", From: from})
	// The record follows the reply, and nobody waits for it.
	var first *apiproxyv1.SendCustomerServiceMessageResponse
	harness.Eventually(t, "the allowance is known", func() error {
		if first = send(); first.GetAllowance().GetKnown() {
			return nil
		}
		if first.GetErrcode() != 0 {
			t.Fatalf("%v before anything was known", first)
		}
		s.Platform.Push(harness.Push{Type: simulator.TypeText, Content: "你好", From: from})
		return fmt.Errorf("answer %v", first)
	})
	for left := first.GetAllowance().GetLeft(); left > 0; left-- {
		if got := send(); got.GetErrcode() != 0 || got.GetAllowance().GetLeft() != left-1 || got.GetAllowance().GetEndTime() == nil && left > 1 {
			t.Errorf("answer %v, want %d left", got, left-1)
		}
	}
	const spent = 45047
	if got := send(); got.GetErrcode() != spent || got.GetAllowance().GetLeft() != 0 || got.GetPartsSent() != 0 {
		t.Errorf("answer %v, want WeChat's %d and nothing left", got, spent)
	}
}
