package simulator

import (
	"net/http"
	"strings"
	"testing"
)

// TestConditionalMenus covers api.md section 5, menu.
func TestConditionalMenus(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	const (
		base   = "/cgi-bin/menu/"
		tag    = "/cgi-bin/tags/members/batchtagging"
		button = `"button":[{"type":"click","name":"甲","key":"A"}]`
		seen   = `{"user_id":"` + DefaultFollower + `"}`
	)
	walk(t, platform, []apiStep{
		{http.MethodPost, base + "addconditional", `{` + button + `}`, `"errcode":65304`},
		{http.MethodPost, base + "addconditional", `{` + button + `,"matchrule":{"tag_id":""}}`, `"errcode":65304`},
		{http.MethodPost, base + "addconditional", `{` + button + `,"matchrule":{"tag_id":"2","sex":"1"}}`, `"errcode":65320`},
		{http.MethodPost, base + "addconditional", `{` + button + `,"matchrule":{"tag_id":"x"}}`, `"errcode":40097`},
		{http.MethodPost, base + "addconditional", `{"button":[],"matchrule":{"tag_id":"2"}}`, `"errcode":40016`},
		{http.MethodPost, base + "addconditional", `{` + button + `,"matchrule":{"tag_id":"2"}}`, `{"menuid":"400000002"}`},
		{http.MethodPost, base + "addconditional", `{"button":[{"type":"click","name":"乙","key":"B"}],"matchrule":{"client_platform_type":3,"tag_id":100}}`, `{"menuid":"400000003"}`},
		{http.MethodGet, base + "get", ``, `"conditionalmenu":[{"button":[{"key":"A","name":"甲","sub_button":[],"type":"click"}],"matchrule":{"group_id":"2"},"menuid":400000002},{`},
		{http.MethodGet, base + "get", ``, `"matchrule":{"client_platform_type":"3","group_id":"100"},"menuid":400000003}]`},
		{http.MethodGet, base + "get", ``, `"menuid":400000001`},
		{http.MethodPost, base + "trymatch", `{"user_id":"oNOBODY"}`, `"errcode":65302`},
		{http.MethodPost, base + "trymatch", seen, `"key":"MENU_HELP"`},
		{http.MethodPost, "/cgi-bin/tags/create", `{"tag":{"name":"广东"}}`, `"id":100`},
		{http.MethodPost, tag, `{"openid_list":["` + DefaultFollower + `"],"tagid":2}`, `"errcode":0`},
		{http.MethodPost, base + "trymatch", seen, `"key":"A"`},
		{http.MethodPost, tag, `{"openid_list":["` + DefaultFollower + `"],"tagid":100}`, `"errcode":0`},
		{http.MethodPost, base + "trymatch", seen, `"key":"B"`},
	})
	if _, page := request(t, http.MethodGet, platform.URL()+"/sim/v1/menu?from="+DefaultFollower, ""); !strings.Contains(string(page), `"key":"B"`) {
		t.Errorf("the follower's page shows %s", page)
	}
	if _, page := request(t, http.MethodGet, platform.URL()+"/sim/v1/menu?from=oOTHER0", ""); !strings.Contains(string(page), `"key":"MENU_HELP"`) {
		t.Errorf("another's page shows %s", page)
	}
	walk(t, platform, []apiStep{
		{http.MethodPost, base + "delconditional", `{"menuid":"400000003"}`, `"errcode":0`},
		{http.MethodPost, base + "delconditional", `{"menuid":"400000003"}`, `"errcode":65301`},
		{http.MethodPost, base + "trymatch", seen, `"key":"MENU_HELP"`}, // The last tag is 100.
		{http.MethodPost, base + "create", `{"button":[{"type":"click","name":"丙","key":"C"}]}`, `"errcode":0`},
		{http.MethodGet, base + "get", ``, `"menuid":400000002`},
		{http.MethodGet, base + "delete", ``, `"errcode":0`},
		{http.MethodGet, base + "get", ``, `"errcode":46003`},
		{http.MethodPost, base + "addconditional", `{` + button + `,"matchrule":{"tag_id":"2"}}`, `"errcode":65303`},
		{http.MethodPost, base + "trymatch", seen, `{"button":[]}`},
	})
}

// TestAViewTellsWhichMenuItIsOf covers inbound.md section 7.1, MenuId.
func TestAViewTellsWhichMenuItIsOf(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	if err := platform.SetCallback("", "http://127.0.0.1:1/", ""); err != nil {
		t.Fatal(err)
	}
	view := func() string {
		result, err := platform.Push(t.Context(), Push{Type: TypeEvent, Event: EventView, EventKey: "https://example.com/"})
		if err != nil {
			t.Fatal(err)
		}

		return result.Clear
	}
	if got := view(); !strings.Contains(got, "<MenuId>400000001</MenuId>") {
		t.Errorf("of the default menu: %s", got)
	}
	walk(t, platform, []apiStep{
		{http.MethodPost, "/cgi-bin/menu/addconditional", `{"button":[{"type":"click","name":"甲","key":"A"}],"matchrule":{"client_platform_type":"3"}}`, `{"menuid":"400000002"}`},
	})
	if got := view(); !strings.Contains(got, "<MenuId>400000002</MenuId>") {
		t.Errorf("of a conditional one: %s", got)
	}
}
