package callback_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/custommessage"
)

// event is a push of an event.
func event(name, key string) string {
	return "<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oFOLLOWER</FromUserName><CreateTime>1700000000</CreateTime>" +
		"<MsgType>event</MsgType><Event>" + name + "</Event><EventKey>" + key + "</EventKey></xml>"
}

func TestPushesTellWhatTheFollowerAllows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		push string
		want custommessage.Trigger // NoTrigger: nothing is noted.
	}{
		"a text":          {text(1, "hello"), custommessage.Wrote},
		"the menu":        {event("CLICK", "KEY"), custommessage.Acted},
		"a scan":          {event("SCAN", "1"), custommessage.Acted},
		"a follow":        {event("subscribe", ""), custommessage.Acted},
		"an end":          {event("unsubscribe", ""), custommessage.Unfollowed},
		"a link of menus": {event("VIEW", "https://example.com"), custommessage.NoTrigger},
		"a position":      {event("LOCATION", ""), custommessage.NoTrigger},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newReplica(t, directory(t, account.EncryptionPlain), dedupe.NewMemory(), &logic{})
				arrived := time.Now()
				told := tell(t, tt.push, r)
				if len(told.got) != 1 {
					t.Fatalf("%d deliveries", len(told.got))
				}
				var triggers []custommessage.Trigger
				for _, g := range r.grants.all {
					if g.AppID != testAppID || g.OpenID == "" || !g.At.Equal(arrived) {
						t.Errorf("noted %+v", g)
					}
					triggers = append(triggers, g.Trigger)
				}
				want := []custommessage.Trigger{tt.want}
				if tt.want == custommessage.NoTrigger {
					want = nil
				}
				if diff := cmp.Diff(want, triggers); diff != "" {
					t.Errorf("noted (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAMessageIsNotedOnceHoweverOftenItIsDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := dedupe.NewMemory()
		slow := &logic{delay: 7 * time.Second}
		first, second := newReplica(t, directory(t, account.EncryptionPlain), store, slow), newReplica(t, directory(t, account.EncryptionPlain), store, slow)
		told := tell(t, text(1, "hello"), first, second, first)
		if len(told.got) < 2 {
			t.Fatalf("%d deliveries, want several", len(told.got))
		}
		tell(t, text(1, "hello"), second) // the answer is there.
		if all := slices.Concat(first.grants.all, second.grants.all); len(all) != 1 {
			t.Errorf("noted %+v, want the message once", all)
		}
	})
}
