package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/tag"
)

// startFollowers starts a platform that has these followers beside the default one.
// The last one is gone again.
func startFollowers(t *testing.T, openIDs ...string) *Platform {
	t.Helper()
	platform := startAccount(t, ModePlain, answerWith("success"))
	push := func(openID, event string) {
		if _, err := platform.Push(t.Context(), Push{From: openID, Type: TypeEvent, Event: event}); err != nil {
			t.Fatal(err)
		}
	}
	for _, openID := range openIDs {
		push(openID, EventSubscribe)
	}
	if len(openIDs) > 0 {
		push(openIDs[len(openIDs)-1], EventUnsubscribe)
	}

	return platform
}

// apiStep is a call and what its answer must hold.
type apiStep struct {
	method, path, body, want string
}

// walk makes calls one after another.
func walk(t *testing.T, platform *Platform, steps []apiStep) {
	t.Helper()
	token := withToken(stableToken(t, platform))
	for number, step := range steps {
		given, err := json.Marshal(api(t, platform, step.method, step.path, token, step.body))
		if err != nil || !strings.Contains(string(given), step.want) {
			t.Errorf("%d %s %s: %s, %v; want %s", number, step.path, step.body, given, err, step.want)
		}
	}
}

// TestUsers covers api.md section 5, users.
func TestUsers(t *testing.T) {
	t.Parallel()
	platform := startFollowers(t, "oGONE0")
	const batch, remark = "/cgi-bin/user/info/batchget", "/cgi-bin/user/info/updateremark"
	many := `{"openid":"` + DefaultFollower + `"}` + strings.Repeat(`,{"openid":"`+DefaultFollower+`"}`, 100)
	walk(t, platform, []apiStep{
		{http.MethodPost, remark, `{"openid":"` + DefaultFollower + `","remark":"` + strings.Repeat("名", 30) + `"}`, `"errcode":0`},
		{http.MethodPost, remark, `{"openid":"` + DefaultFollower + `","remark":"` + strings.Repeat("名", 31) + `"}`, `"errcode":40097`},
		{http.MethodPost, remark, `{"openid":"` + DefaultFollower + `","remark":"\u540d"}`, `"errcode":40033`},
		{http.MethodPost, remark, `{"openid":"oNOBODY","remark":"x"}`, `"errcode":40003`},
		{http.MethodPost, remark, `{"openid":"oGONE0","remark":"x"}`, `"errcode":43004`},
		{http.MethodPost, batch, `{"user_list":[{"openid":"` + DefaultFollower + `","lang":"zh_CN"},{"openid":"oGONE0"}]}`, `{"openid":"oGONE0","subscribe":0}`},
		{http.MethodPost, batch, `{"user_list":[{"openid":"` + DefaultFollower + `"}]}`, `"remark":"` + strings.Repeat("名", 30) + `"`},
		{http.MethodPost, batch, `{"user_list":[` + many + `]}`, `"errcode":40032`},
		{http.MethodPost, batch, `{"user_list":[]}`, `"errcode":40032`},
		{http.MethodPost, batch, `{"user_list":[{"openid":"oNOBODY"}]}`, `"errcode":40003`},
		{http.MethodGet, batch, ``, `"errcode":43002`},
	})
}

// TestTags covers api.md section 5, tags.
func TestTags(t *testing.T) {
	t.Parallel()
	platform := startFollowers(t, "oOTHER0", "oGONE0")
	const (
		create, update, remove = "/cgi-bin/tags/create", "/cgi-bin/tags/update", "/cgi-bin/tags/delete"
		add, take              = "/cgi-bin/tags/members/batchtagging", "/cgi-bin/tags/members/batchuntagging"
		of, with               = "/cgi-bin/tags/getidlist", "/cgi-bin/user/tag/get"
	)
	both := `"openid_list":["` + DefaultFollower + `","oOTHER0"]`
	crowd := `"openid_list":["` + DefaultFollower + `"` + strings.Repeat(`,"`+DefaultFollower+`"`, 50) + `]`
	walk(t, platform, []apiStep{
		{http.MethodGet, "/cgi-bin/tags/get", ``, `{"count":0,"id":2,"name":"星标组"}`},
		{http.MethodPost, create, `{"tag":{"name":"广东"}}`, `{"tag":{"id":100,"name":"广东"}}`},
		{http.MethodPost, create, `{"tag":{"name":"广东"}}`, `"errcode":45157`},
		{http.MethodPost, create, `{"tag":{"name":""}}`, `"errcode":45157`},
		{http.MethodPost, create, `{"tag":{"name":"\u5e7f"}}`, `"errcode":40033`},
		{http.MethodPost, create, `{"tag":{"name":"` + strings.Repeat("字", 10) + `"}}`, `"id":101`},
		{http.MethodPost, create, `{"tag":{"name":"` + strings.Repeat("字", 10) + `x"}}`, `"errcode":45158`},
		{http.MethodPost, update, `{"tag":{"id":100,"name":"广东人"}}`, `"errcode":0`},
		{http.MethodPost, update, `{"tag":{"id":100,"name":"广东人"}}`, `"errcode":0`},
		{http.MethodPost, update, `{"tag":{"id":101,"name":"广东人"}}`, `"errcode":45157`},
		{http.MethodPost, update, `{"tag":{"id":102,"name":"x"}}`, `"errcode":45159`},
		{http.MethodPost, update, `{"tag":{"id":2,"name":"x"}}`, `"errcode":45058`},
		{http.MethodPost, add, `{` + both + `,"tagid":100}`, `"errcode":0`},
		{http.MethodPost, add, `{` + both + `,"tagid":100}`, `"errcode":0`},
		{http.MethodPost, add, `{` + both + `,"tagid":102}`, `"errcode":45159`},
		{http.MethodPost, add, `{` + crowd + `,"tagid":100}`, `"errcode":40032`},
		{http.MethodPost, add, `{"openid_list":[],"tagid":100}`, `"errcode":40032`},
		{http.MethodPost, add, `{"openid_list":["oOTHER0","oGONE0"],"tagid":101}`, `"errcode":40003`},
		{http.MethodPost, of, `{"openid":"oOTHER0"}`, `{"tagid_list":[100]}`},
		{http.MethodPost, of, `{"openid":"oNOBODY"}`, `"errcode":40003`},
		{http.MethodGet, "/cgi-bin/tags/get", ``, `{"count":2,"id":100,"name":"广东人"}`},
		{http.MethodPost, with, `{"tagid":100,"next_openid":""}`, `"count":2,"data":{"openid":["` + DefaultFollower + `","oOTHER0"]},"next_openid":"oOTHER0"`},
		{http.MethodPost, with, `{"tagid":100,"next_openid":"` + DefaultFollower + `"}`, `"openid":["oOTHER0"]`},
		{http.MethodPost, with, `{"tagid":100,"next_openid":"oOTHER0"}`, `"count":0,"data":{"openid":[]},"next_openid":""`},
		{http.MethodPost, with, `{"tagid":9}`, `"errcode":45159`},
		{http.MethodPost, take, `{"openid_list":["oOTHER0"],"tagid":"100x"}`, `"errcode":47001`},
		{http.MethodPost, take, `{"openid_list":["oOTHER0"],"tagid":"100"}`, `"errcode":0`},
		{http.MethodPost, of, `{"openid":"oOTHER0"}`, `{"tagid_list":[]}`},
		{http.MethodPost, remove, `{"tag":{"id":2}}`, `"errcode":45058`},
		{http.MethodPost, remove, `{"tag":{"id":100}}`, `"errcode":0`},
		{http.MethodPost, remove, `{"tag":{"id":100}}`, `"errcode":45159`},
		{http.MethodPost, of, `{"openid":"` + DefaultFollower + `"}`, `{"tagid_list":[]}`},
	})
}

// TestTagLimits covers api.md section 5 (C): 100 tags of an account; and 20 of a
// follower.
func TestTagLimits(t *testing.T) {
	t.Parallel()
	book := tag.NewBook()
	for number := range tag.Max {
		if _, code := book.Create(fmt.Sprint("tag ", number)); code != errcode.OK {
			t.Fatalf("tag %d: %d", number, code)
		}
	}
	if _, code := book.Create("one more"); code != errcode.TooManyTags {
		t.Errorf("over the limit: %d", code)
	}
	platform := Start(t)
	var steps []apiStep
	for number := range tag.MaxOfOne + 1 {
		want := `"errcode":0`
		if number == tag.MaxOfOne {
			want = `"errcode":45059`
		}
		steps = append(steps,
			apiStep{http.MethodPost, "/cgi-bin/tags/create", fmt.Sprintf(`{"tag":{"name":"%d"}}`, number), `"tag"`},
			apiStep{http.MethodPost, "/cgi-bin/tags/members/batchtagging", fmt.Sprintf(`{"openid_list":[%q],"tagid":%d}`, DefaultFollower, tag.FirstID+number), want})
	}
	walk(t, platform, steps)
}
