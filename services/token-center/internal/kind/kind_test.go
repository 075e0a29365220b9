package kind_test

import (
	"testing"
	"time"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
)

// weChats are the numbers of WeChat's documentation.
var weChats = map[string]struct {
	spec          kind.Spec
	perDay        int // calls
	window        credential.Window
	oldDiesWithin time.Duration
}{
	// 获取稳定版接口调用凭据
	"stable": {kind.Stable(), 500_000, credential.Window{Most: 300 * time.Second}, 0},
	// 附录1-JS-SDK使用权限签名算法: "very limited", without a number.
	"jsapi":   {kind.JSAPITicket(), 500, credential.Window{Most: 300 * time.Second}, 0},
	"wx_card": {kind.CardTicket(), 500, credential.Window{Most: 300 * time.Second}, 0},
	// 企业微信, 获取access_token: no number. 获取企业的jsapi_ticket: 100 an hour for an application.
	"work":       {kind.Work(), 2_000, credential.Window{Most: 300 * time.Second}, 0},
	"work_jsapi": {kind.WorkJSAPITicket(), 24 * 100, credential.Window{Most: 300 * time.Second}, 0},
	// 第三方平台: no numbers; as the classic interface.
	"component":  {kind.Component(), 2_000, credential.Window{Least: 300 * time.Second, Most: 600 * time.Second}, 300 * time.Second},
	"authorizer": {kind.Authorizer(), 2_000, credential.Window{Least: 300 * time.Second, Most: 600 * time.Second}, 300 * time.Second},
	// 获取接口调用凭据
	"classic": {kind.Classic(), 2_000, credential.Window{Least: 300 * time.Second, Most: 600 * time.Second}, 300 * time.Second},
}

func TestEveryKindStaysWithinWhatWeChatAllows(t *testing.T) {
	t.Parallel()
	for name, tt := range weChats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := tt.spec.Limits
			if limits.Fetch.PerDay >= tt.perDay || limits.Fetch.Burst >= 10_000 {
				t.Errorf("fetches: %+v, WeChat allows %d a day", limits.Fetch, tt.perDay)
			}
			if limits.Passive.PerDay >= limits.Fetch.PerDay || limits.Passive.Burst >= limits.Fetch.Burst {
				t.Error("reports could use up what the active renewal needs")
			}
			if w := tt.spec.Window; w.Least < tt.window.Least || w.Most > tt.window.Most || w.Least >= w.Most {
				t.Errorf("renewal %v to %v ahead, want %v to %v", w.Least, w.Most, tt.window.Least, tt.window.Most)
			}
			if tt.spec.Overlap != tt.oldDiesWithin {
				t.Errorf("overlap %v, want %v", tt.spec.Overlap, tt.oldDiesWithin)
			}
			forced := limits.Forced
			if tt.spec.Forceable && (forced.PerDay > 20 || forced.Burst != 1 || forced.Span < 30*time.Second) {
				t.Errorf("forced: %+v, WeChat allows 20 a day, 30 s apart", forced)
			}
			if !tt.spec.Forceable && forced.PerDay != 0 {
				t.Errorf("nothing can be forced, and yet: %+v", forced)
			}
			if (tt.spec.Parent == "") != tt.spec.Owned() {
				t.Errorf("parent %q, owned %v", tt.spec.Parent, tt.spec.Owned())
			}
			if tt.spec.Kind == "" || tt.spec.Source != name {
				t.Errorf("kind %q, source %q", tt.spec.Kind, tt.spec.Source)
			}
		})
	}
}
