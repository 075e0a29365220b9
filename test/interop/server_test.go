package interop

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/message/callback/request"
	"github.com/chanxuehong/wechat/mp/message/callback/response"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/context"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/officialaccount/server"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/wechat/account"
)

// servers are callback handlers of SDKs that answer each text with itself, and each picture with itself.
func servers(t *testing.T) map[string]http.Handler {
	t.Helper()
	return map[string]http.Handler{"silenceper": silenceperServer(t), "chanxuehong": chanxuehongServer(t)}
}

func silenceperServer(t *testing.T) http.Handler {
	t.Helper()
	account := &context.Context{Config: &config.Config{AppID: appID, Token: token, EncodingAESKey: account.DevelopmentEncodingAESKey}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := server.NewServer(account)
		s.Writer, s.Request = w, r
		s.SetMessageHandler(func(in *message.MixMessage) *message.Reply {
			if in.MsgType == message.MsgTypeImage {
				return &message.Reply{MsgType: message.MsgTypeImage, MsgData: message.NewImage(in.MediaID)}
			}
			return &message.Reply{MsgType: message.MsgTypeText, MsgData: message.NewText(cmp.Or(in.Content+in.EventKey, "收到"))}
		})
		err := s.Serve()
		if err == nil {
			err = s.Send()
		}
		if err != nil {
			t.Errorf("their server: %v", err)
		}
	})
}

func chanxuehongServer(t *testing.T) http.Handler {
	t.Helper()
	s := core.NewServer(account.DevelopmentOriginalID, appID, token, account.DevelopmentEncodingAESKey,
		core.HandlerFunc(func(c *core.Context) {
			in := c.MixedMsg
			var reply any = response.NewText(in.FromUserName, in.ToUserName, in.CreateTime, cmp.Or(in.Content+in.EventKey, "收到"))
			if in.MsgType == request.MsgTypeImage {
				reply = response.NewImage(in.FromUserName, in.ToUserName, in.CreateTime, in.MediaId)
			}
			answer := c.RawResponse
			if c.EncryptType == "aes" {
				answer = func(msg any) error { return c.AESResponse(msg, 0, "", nil) }
			}
			if err := answer(reply); err != nil {
				t.Errorf("their server: %v", err)
			}
		}),
		core.ErrorHandlerFunc(func(_ http.ResponseWriter, _ *http.Request, err error) { t.Errorf("their server: %v", err) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r, nil) })
}

// Their servers take our simulator for WeChat, and what they answer it shows to the follower.
func TestTheirServersAndOurSimulatorUnderstandEachOther(t *testing.T) {
	t.Parallel()
	pushes := map[string]simulator.Push{
		"text":      {Content: "你好 <b>&amp;</b>"},
		"emoji":     {Content: "👨‍👩‍👧‍👦🇨🇳"},
		"CDATA end": {Content: "a]]>b"},
		"event":     {Type: simulator.TypeEvent, Event: simulator.EventClick, EventKey: "MENU_1"},
		"picture":   {Type: simulator.TypeImage},
	}
	for name, handler := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := httptest.NewServer(handler)
			t.Cleanup(theirs.Close)
			platform := simulator.Start(t)
			if err := platform.SetCallback("", theirs.URL+"/", ""); err != nil {
				t.Fatal(err)
			}
			if got, err := platform.Verify(t.Context(), ""); err != nil || !got.OK {
				t.Errorf("verification of the URL: %+v, %v", got, err)
			}
			for _, mode := range []simulator.Mode{simulator.ModePlain, simulator.ModeCompatible, simulator.ModeSafe} {
				for kind, push := range pushes {
					push.Mode = mode
					if err := expectEcho(t, platform, push); err != nil {
						t.Errorf("%s, %s: %v", mode, kind, err)
					}
				}
			}
		})
	}
}

// expectEcho pushes and returns an error unless the follower saw the same again, at the first delivery.
func expectEcho(t *testing.T, platform *simulator.Platform, push simulator.Push) error {
	t.Helper()
	result, err := platform.Push(t.Context(), push)
	if err != nil {
		return err
	}
	if len(result.Shown) != 1 || len(result.Deliveries) != 1 || result.Outcome != simulator.OutcomeShown {
		return fmt.Errorf("outcome %s: %+v", result.Outcome, result.Deliveries)
	}
	chat := platform.Chat(simulator.DefaultFollower)
	sent, shown := chat[len(chat)-2], result.Shown[0]
	if shown.Text != sent.Text || shown.MediaID != sent.MediaID {
		return fmt.Errorf("sent %+v, the follower saw %+v", sent, shown)
	}
	return nil
}

// Everything that a follower can do is understood by both, in every mode, and messages in JSON by the one that knows it.
// What WeChat reports besides is not tried: chanxuehong's reader of events panics on half of it with today's Go.
func TestTheirServersUnderstandWhateverAFollowerDoes(t *testing.T) {
	t.Parallel()
	for name, handler := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := httptest.NewServer(handler)
			t.Cleanup(theirs.Close)
			platform := simulator.Start(t)
			pushed := 0
			for _, entry := range platform.Types() {
				if !entry.ByFollower || entry.MsgType == "file" { // Files are in no document.
					continue
				}
				for _, mode := range []simulator.Mode{simulator.ModePlain, simulator.ModeCompatible, simulator.ModeSafe} {
					pushed += expectUnderstood(t, platform, theirs.URL, entry, mode, simulator.FormatXML)
				}
				if name == "silenceper" && entry.Event == "" {
					pushed += expectUnderstood(t, platform, theirs.URL, entry, simulator.ModePlain, simulator.FormatJSON)
				}
			}
			if pushed < 75 {
				t.Errorf("only %d pushes", pushed)
			}
		})
	}
}

// expectUnderstood pushes an entry of the catalogue; the answer must be valid.
func expectUnderstood(t *testing.T, platform *simulator.Platform, url string, entry simulator.PushType, mode simulator.Mode, format simulator.Format) int {
	t.Helper()
	fields := map[string]string{}
	for _, field := range entry.Fields {
		if !strings.Contains(field.Path, "MediaId") { // The platform has files of its own.
			fields[field.Path] = field.Sample
		}
	}
	result, err := platform.Push(t.Context(), simulator.Push{
		Type: simulator.Type(entry.MsgType), Event: entry.Event, Fields: fields, Mode: mode, Format: format, URL: url + "/",
	})
	if err != nil || result.Outcome == simulator.OutcomeFailed {
		t.Errorf("%s, %s, %s: %+v, %v", mode, format, entry.Name, result.Deliveries, err)
	}
	return 1
}
