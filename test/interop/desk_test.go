package interop

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chanxuehong/wechat/mp/core"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/util"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/wechat/account"
)

// desk is the simulator alone: SDKs take it for WeChat itself, with the account's own AppSecret.
type desk struct {
	*simulator.Platform

	t testing.TB
}

func startDesk(t testing.TB) *desk {
	t.Helper()
	platform := simulator.Start(t)
	quiet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("success")) }))
	t.Cleanup(quiet.Close)
	if err := platform.SetCallback(appID, quiet.URL, ""); err != nil {
		t.Fatal(err)
	}
	return &desk{platform, t}
}

// greet makes a follower write, so that the account may write to it.
func (d *desk) greet(openID string) {
	d.t.Helper()
	if _, err := d.Push(d.t.Context(), simulator.Push{From: openID, Content: "你好"}); err != nil {
		d.t.Error(err)
	}
}

// code makes a follower agree to a web page's wish (网页授权).
func (d *desk) code(openID string) (string, error) {
	return d.IssueOAuthCode(appID, openID, simulator.ScopeUserInfo)
}

// detour leads the hosts of WeChat to the simulator: what an SDK without a base address takes.
type detour struct{ base string }

func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Host, ".weixin.qq.com") {
		return http.DefaultTransport.RoundTrip(r)
	}
	base, err := url.Parse(d.base)
	if err != nil {
		return nil, err
	}
	led := r.Clone(r.Context())
	led.URL.Scheme, led.URL.Host, led.Host = base.Scheme, base.Host, ""
	return http.DefaultTransport.RoundTrip(led)
}

// take takes the steps one after another.
func take(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

// silenceper is the SDK, led to the simulator: its base address is the process's, and some calls leave it out.
func (d *desk) silenceper(t *testing.T) *officialaccount.OfficialAccount {
	t.Helper()
	util.DefaultHTTPClient = &http.Client{Transport: detour{d.URL()}}
	t.Cleanup(func() {
		util.SetURIModifier(nil)
		util.DefaultHTTPClient = http.DefaultClient
	})
	return silenceperAccount(d.URL(), account.DevelopmentAppSecret)
}

func TestSilenceperTakesTheSimulatorForWeChat(t *testing.T) {
	d := startDesk(t)
	take(t, silenceperSteps(d, d.silenceper(t), "oSilenceper", picture(t)))
}

func TestChanxuehongTakesTheSimulatorForWeChat(t *testing.T) {
	d := startDesk(t)
	httpClient := &http.Client{Transport: detour{d.URL()}}
	tokens := core.NewDefaultAccessTokenServer(appID, account.DevelopmentAppSecret, httpClient)
	take(t, chanxuehongSteps(d, core.NewClient(tokens, httpClient), account.DevelopmentAppSecret, httpClient, "oChanxuehong", picture(t)))
}
