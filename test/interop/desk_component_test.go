package interop

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/openplatform"
	"github.com/silenceper/wechat/v2/openplatform/config"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/wechat/account"
)

const (
	componentID     = "wx00000000000000d0"
	componentSecret = "component-secret"
)

// TestSilencepersThirdPartyPlatform takes an account through the whole life of an authorisation (第三方平台), with the
// SDK as the platform: the tickets, notices and messages that it is sent, and the calls that it makes.
func TestSilencepersThirdPartyPlatform(t *testing.T) {
	var platform *openplatform.OpenPlatform
	notices := make(chan *message.MixMessage, 8)
	theirs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := platform.GetServer(r, w)
		s.SetMessageHandler(func(in *message.MixMessage) *message.Reply {
			if in.InfoType == "" {
				return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText("代收：" + in.Content)}
			}
			if in.InfoType == message.InfoTypeVerifyTicket {
				if _, err := platform.SetComponentAccessToken(context.Background(), in.ComponentVerifyTicket); err != nil {
					t.Errorf("component_access_token: %v", err)
				}
			}
			notices <- in
			return nil
		})
		if err := s.Serve(); err != nil {
			t.Errorf("their server: %v", err)
			return
		}
		if s.ResponseMsg == nil { // The SDK leaves the answer to a notice to the caller.
			_, _ = w.Write([]byte("success"))
		} else if err := s.Send(); err != nil {
			t.Errorf("their server: %v", err)
		}
	}))
	t.Cleanup(theirs.Close)
	d := &desk{simulator.Start(t, func(options *simulator.Options) {
		options.Accounts = []simulator.Account{simulator.DefaultAccount(), {
			Kind: simulator.KindPlatform, AppID: componentID, AppSecret: componentSecret, CallbackToken: token,
			EncodingAESKey: account.DevelopmentEncodingAESKey, Mode: simulator.ModeSafe,
			CallbackURL: theirs.URL + "/notices", MessageURL: theirs.URL + "/$APPID$/messages",
		}}
	}), t}
	d.silenceper(t) // leads the SDK's calls to the simulator.
	platform = wechat.NewWechat().GetOpenPlatform(&config.Config{
		AppID: componentID, AppSecret: componentSecret, Token: token, EncodingAESKey: account.DevelopmentEncodingAESKey,
		Cache: cache.NewMemory(),
	})

	if err := d.PushVerifyTicket(t.Context(), componentID); err != nil {
		t.Fatal(err)
	}
	if got := <-notices; got.InfoType != message.InfoTypeVerifyTicket {
		t.Fatalf("notice %+v", got)
	}
	preAuth, err := platform.GetPreCode()
	if err != nil || preAuth == "" {
		t.Fatalf("pre_auth_code %q, %v", preAuth, err)
	}
	code, err := d.Authorize(componentID, preAuth, appID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.PushAuthorized(t.Context(), componentID, appID, code); err != nil {
		t.Fatal(err)
	}
	authorized := <-notices
	if authorized.InfoType != message.InfoTypeAuthorized || authorized.AuthorizationCode != code {
		t.Fatalf("notice %+v", authorized)
	}
	granted, err := platform.QueryAuthCode(code)
	if err != nil || granted.Appid != appID {
		t.Fatalf("authorisation %+v, %v", granted, err)
	}
	if _, err := platform.RefreshAuthrToken(appID, granted.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if info, base, err := platform.GetAuthrInfo(appID); err != nil || info.UserName != account.DevelopmentOriginalID || base.Appid != appID {
		t.Errorf("authorizer %+v, %+v, %v", info, base, err)
	}

	result, err := d.Push(t.Context(), simulator.Push{Content: "你好"})
	if err != nil || result.Outcome != simulator.OutcomeShown || result.Shown[0].Text != "代收：你好" {
		t.Errorf("message %+v, %v", result, err)
	}
	sent := message.NewCustomerTextMessage(simulator.DefaultFollower, "代发")
	if err := platform.GetOfficialAccount(appID).GetCustomerMessageManager().Send(sent); err != nil {
		t.Errorf("customer-service message: %v", err)
	}

	if err := d.PushUnauthorized(t.Context(), componentID, appID); err != nil {
		t.Fatal(err)
	}
	if got := <-notices; got.InfoType != message.InfoTypeUnauthorized {
		t.Errorf("notice %+v", got)
	}
	if err := platform.GetOfficialAccount(appID).GetCustomerMessageManager().Send(sent); err == nil {
		t.Error("a message was sent after the authorisation was withdrawn")
	}
}
