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
	send := func(to string) *apiproxyv1.SendCustomerServiceMessageResponse {
		t.Helper()
		resp, err := proxy.SendCustomerServiceMessage(t.Context(), &apiproxyv1.SendCustomerServiceMessageRequest{
			ToUser: to, Message: &messagev1.Reply{Content: &messagev1.Reply_Text{Text: &messagev1.TextReply{Content: "有新消息"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	s.Platform.Push(harness.Push{Type: simulator.TypeText, Content: "你好", From: from})
	// The record follows the reply, and nobody waits for it. Records are written in the order of the messages, so
	// that of a later one shows that this one is there; to send meanwhile would spend what is not yet counted.
	var others []string
	harness.Eventually(t, "the allowance is known", func() error {
		others = append(others, fmt.Sprintf("oALLOWANCE%d", 100+len(others)))
		s.Platform.Push(harness.Push{Type: simulator.TypeText, Content: "你好", From: others[len(others)-1]})
		if got := send(others[len(others)/2]); !got.GetAllowance().GetKnown() {
			return fmt.Errorf("answer %v", got)
		}
		return nil
	})
	for left := int32(5); left > 0; left-- {
		if got := send(from); got.GetErrcode() != 0 || got.GetAllowance().GetLeft() != left-1 || got.GetAllowance().GetEndTime() == nil && left > 1 {
			t.Errorf("answer %v, want %d left", got, left-1)
		}
	}
	const spent = 45047
	if got := send(from); got.GetErrcode() != spent || got.GetAllowance().GetLeft() != 0 || got.GetPartsSent() != 0 {
		t.Errorf("answer %v, want WeChat's %d and nothing left", got, spent)
	}
}
