package notice_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/notice"
	"github.com/wxstack/wxstack/wechat/message"
)

// house is token-center and logic; it writes down what each is told.
type house struct {
	tokenv1.PlatformServiceClient // nil: what is never called.

	told []string
	// away is how many calls token-center does not answer.
	away    int
	failure error
}

func (h *house) tell(format string, args ...any) error {
	if h.away > 0 {
		h.away--
		return fault.New(fault.Unavailable, "away")
	}
	h.told = append(h.told, fmt.Sprintf(format, args...))
	return h.failure
}

func (h *house) StoreVerifyTicket(_ context.Context, r *tokenv1.StoreVerifyTicketRequest, _ ...grpc.CallOption) (*tokenv1.StoreVerifyTicketResponse, error) {
	return &tokenv1.StoreVerifyTicketResponse{}, h.tell("ticket %s %s %d", r.GetComponentAppId(), r.GetVerifyTicket(), r.GetCreateTime().GetSeconds())
}

func (h *house) ExchangeAuthorizationCode(
	_ context.Context, r *tokenv1.ExchangeAuthorizationCodeRequest, _ ...grpc.CallOption,
) (*tokenv1.ExchangeAuthorizationCodeResponse, error) {
	return &tokenv1.ExchangeAuthorizationCodeResponse{}, h.tell("exchange %s %s", r.GetComponentAppId(), r.GetAuthorizationCode())
}

func (h *house) RevokeAuthorization(_ context.Context, r *tokenv1.RevokeAuthorizationRequest, _ ...grpc.CallOption) (*tokenv1.RevokeAuthorizationResponse, error) {
	return &tokenv1.RevokeAuthorizationResponse{}, h.tell("revoke %s %s", r.GetComponentAppId(), r.GetAuthorizerAppId())
}

func (h *house) Reply(_ context.Context, _ string, in message.Message, _, _ time.Time) (message.Reply, string, error) {
	h.told = append(h.told, "logic")
	return nil, "a rule", nil
}

// Begin is how logic is asked without waiting.
func (h *house) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) (cancel func()) {
	h.told = append(h.told, "logic at once")
	return func() {}
}

func parse(t *testing.T, infoType, fields string) message.Message {
	t.Helper()
	in, err := message.Parse([]byte("<xml><AppId>wxp</AppId><CreateTime>1413192605</CreateTime><InfoType>" + infoType + "</InfoType>" + fields + "</xml>"))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestNoticesGoToTokenCenter(t *testing.T) {
	t.Parallel()
	const code = "<AuthorizerAppid>wxa</AuthorizerAppid><AuthorizationCode>s3cret-code</AuthorizationCode>"
	tests := map[string]struct {
		infoType, fields string
		away             int
		want             string
	}{
		"ticket":            {"component_verify_ticket", "<ComponentVerifyTicket>s3cret-ticket</ComponentVerifyTicket>", 0, "ticket wxp s3cret-ticket 1413192605"},
		"ticket, with luck": {"component_verify_ticket", "<ComponentVerifyTicket>s3cret-ticket</ComponentVerifyTicket>", 3, "ticket wxp s3cret-ticket 1413192605"},
		"authorized":        {"authorized", code, 0, "exchange wxp s3cret-code, logic"},
		"changed":           {"updateauthorized", code, 0, "exchange wxp s3cret-code, logic"},
		"withdrawn":         {"unauthorized", "<AuthorizerAppid>wxa</AuthorizerAppid>", 0, "revoke wxp wxa, logic"},
		"without a secret":  {"notify_3rd_wxa_auth", "<appid>wxa</appid>", 0, "logic"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := &house{away: tt.away}
				_, _, err := notice.NewRouter(h, h).Reply(t.Context(), "wxp", parse(t, tt.infoType, tt.fields), time.Time{}, time.Time{})
				if got := strings.Join(h.told, ", "); err != nil || got != tt.want {
					t.Errorf("told %q, %v, want %q", got, err, tt.want)
				}
			})
		})
	}
}

func TestMessagesGoToLogic(t *testing.T) {
	t.Parallel()
	in, err := message.Parse([]byte("<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime>" +
		"<MsgType>text</MsgType><Content>x</Content><MsgId>1</MsgId></xml>"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{}
	if _, rule, err := notice.NewRouter(h, h).Reply(t.Context(), "wx1", in, time.Time{}, time.Time{}); err != nil || rule != "a rule" || len(h.told) != 1 {
		t.Errorf("rule %q, told %v, %v", rule, h.told, err)
	}
}

func TestLogicIsAskedAtOnceAboutMessagesOnly(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in    message.Message
		begun bool
	}{
		"message": {message.Message{MsgType: message.TypeText}, true},
		"notice":  {parse(t, "notify_3rd_wxa_auth", "<appid>wxa</appid>"), false},
	} {
		h := &house{}
		cancel := notice.NewRouter(h, h).Begin("wxp", tt.in, time.Time{}, time.Time{}, time.Time{}, nil)
		if (cancel != nil) != tt.begun || (len(h.told) > 0) != tt.begun {
			t.Errorf("%s: begun %v, told %v", name, cancel != nil, h.told)
		}
	}
}

func TestANoticeInAnothersNameIsRefused(t *testing.T) {
	t.Parallel()
	h := &house{}
	in := parse(t, "unauthorized", "<AuthorizerAppid>wxa</AuthorizerAppid>")
	if _, _, err := notice.NewRouter(h, h).Reply(t.Context(), "wx1", in, time.Time{}, time.Time{}); err == nil || fault.KindOf(err) != fault.Invalid || len(h.told) != 0 {
		t.Errorf("told %v, %v", h.told, err)
	}
}

func TestAFailureIsToldWithoutTheSecretAndLogicIsNotAsked(t *testing.T) {
	t.Parallel()
	refusing := &house{failure: fault.New(fault.Precondition, "errcode 61009")}
	gone := &house{away: 1 << 30}
	for name, h := range map[string]*house{"refused": refusing, "away": gone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				in := parse(t, "authorized", "<AuthorizerAppid>wxa</AuthorizerAppid><AuthorizationCode>s3cret</AuthorizationCode>")
				_, _, err := notice.NewRouter(h, h).Reply(ctx, "wxp", in, time.Time{}, time.Time{})
				if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "token-center") {
					t.Errorf("error = %v", err)
				}
				if told := strings.Join(h.told, ","); strings.Contains(told, "logic") {
					t.Errorf("told %q", told)
				}
			})
		})
	}
}
