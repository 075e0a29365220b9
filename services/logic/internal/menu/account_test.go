package menu_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/services/logic/internal/menu"
)

// answers is an api-proxy that knows what WeChat says to each path. It notes the calls.
type answers struct {
	said  map[string]*apiproxyv1.CallResponse
	err   error
	calls []string
}

func (a *answers) Call(_ context.Context, req *apiproxyv1.CallRequest, _ ...grpc.CallOption) (*apiproxyv1.CallResponse, error) {
	a.calls = append(a.calls, req.GetAppId()+" "+req.GetMethod()+" "+req.GetPath())
	if said, ok := a.said[req.GetPath()]; ok {
		return said, nil
	}

	return &apiproxyv1.CallResponse{HttpStatus: 200, Body: []byte(`{"errcode":0,"errmsg":"ok"}`)}, a.err
}

func refused(code int32) *apiproxyv1.CallResponse {
	return &apiproxyv1.CallResponse{HttpStatus: 200, Errcode: code, Errmsg: "no, s3cret rid: 0123abcd-0123abcd-0123abcd"}
}

// listed is how WeChat's document shows an account with a conditional menu, and one more with numbers as text.
const listed = `{"menu":{"button":[{"type":"click","name":"今日歌曲","key":"V1001","sub_button":[]},
	{"name":"菜单","sub_button":[{"type":"view","name":"搜索","url":"http://www.soso.com/","sub_button":[]}]}],"menuid":208396938},
	"conditionalmenu":[
	{"button":[{"type":"click","name":"歌","key":"K","sub_button":[]}],"matchrule":{"group_id":2,"client_platform_type":2,"sex":0,"country":""},"menuid":208396993},
	{"button":[{"type":"click","name":"曲","key":"K"}],"matchrule":{"tag_id":"100"},"menuid":"208396999"}]}`

func TestAccountMenu(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer *apiproxyv1.CallResponse
		err    error
		want   menu.Menu
		fails  string
	}{
		"a menu": {answer: &apiproxyv1.CallResponse{HttpStatus: 200, Body: []byte(listed)}, want: menu.Menu{
			Buttons: []menu.Button{
				{Name: "今日歌曲", Type: "click", Key: "V1001"},
				{Name: "菜单", Buttons: []menu.Button{{Name: "搜索", Type: "view", URL: "http://www.soso.com/"}}},
			},
			Conditional: []menu.Conditional{
				{ID: "208396999", Match: menu.Match{"tag_id": "100"}, Buttons: []menu.Button{{Name: "曲", Type: "click", Key: "K"}}},
				{ID: "208396993", Match: menu.Match{"tag_id": "2", "client_platform_type": "2"}, Buttons: []menu.Button{{Name: "歌", Type: "click", Key: "K"}}},
			},
		}},
		"none":        {answer: refused(46003)},
		"refused":     {answer: refused(48001), fails: "read the menu: WeChat refused it with errcode 48001: the account has no right to this API"},
		"no JSON":     {answer: &apiproxyv1.CallResponse{HttpStatus: 200, Body: []byte("<html>")}, fails: "is no menu"},
		"HTTP 502":    {answer: &apiproxyv1.CallResponse{HttpStatus: 502}, fails: "HTTP status 502"},
		"no account":  {err: fault.New(fault.NotFound, "account wx1 is unknown"), fails: "read the menu: account wx1 is unknown"},
		"unreachable": {err: fault.New(fault.Deadline, "too late"), fails: "read the menu: no answer by way of api-proxy (API_PROXY_ADDR), so whether WeChat did it is not known: too late"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := &answers{err: test.err}
			if test.answer != nil {
				proxy.said = map[string]*apiproxyv1.CallResponse{"/cgi-bin/menu/get": test.answer}
			}
			got, err := menu.Account{Caller: proxy, AppID: "wx1"}.Menu(t.Context())
			if (err == nil) != (test.fails == "") || (err != nil && (!strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "s3cret"))) {
				t.Fatalf("error %v, want %q", err, test.fails)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"wx1 GET /cgi-bin/menu/get"}, proxy.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestApplyStopsAtTheFirstRefusalAndNamesTheButtons(t *testing.T) {
	t.Parallel()
	want := menu.Menu{
		Buttons: []menu.Button{{Name: "更多", Buttons: []menu.Button{{Name: "官网", Type: "view", URL: "https://a/"}, {Name: "帮助", Type: "click", Key: "K"}}}},
		Conditional: []menu.Conditional{
			{Match: menu.Match{"tag_id": "7"}, Buttons: []menu.Button{{Name: "网", Type: "view", URL: "https://b/"}, {Name: "图", Type: "media_id", MediaID: "M"}}},
			{Match: menu.Match{"tag_id": "8"}, Buttons: one("x")},
		},
	}
	steps := menu.Compare(menu.Menu{}, want).Steps()
	tests := map[string]struct {
		path string
		code int32
		done int
		want string
	}{
		"all":             {"", 0, 3, ""},
		"domain below":    {"/cgi-bin/menu/create", 40054, 0, `create the default menu: WeChat refused it with errcode 40054, which is about "官网" below "更多": `},
		"no one's fault":  {"/cgi-bin/menu/create", 45009, 0, `errcode 45009: the daily quota is used up`},
		"in a later step": {"/cgi-bin/menu/addconditional", 40007, 1, `add the conditional menu for {tag_id: 8}: WeChat refused it with errcode 40007: `},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := &answers{said: map[string]*apiproxyv1.CallResponse{test.path: refused(test.code)}}
			done := 0
			err := menu.Account{Caller: proxy}.Apply(t.Context(), steps, func(menu.Step) { done++ })
			if done != test.done || (err == nil) != (test.want == "") {
				t.Fatalf("%d steps done, error %v", done, err)
			}
			if err == nil {
				return
			}
			var refusal *menu.RefusedError
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.want) || !strings.HasSuffix(err.Error(), "(rid 0123abcd-0123abcd-0123abcd)") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
