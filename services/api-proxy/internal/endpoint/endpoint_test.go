package endpoint_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
)

func builtIn(t *testing.T) *endpoint.Table {
	t.Helper()
	table, err := endpoint.Default()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestFind(t *testing.T) {
	t.Parallel()
	table := builtIn(t)
	type facts struct {
		Label  string
		Token  endpoint.TokenUse
		Repeat bool
		Body   endpoint.BodyKind
	}
	for _, tt := range []struct {
		call string
		want facts
	}{
		{"GET /cgi-bin/menu/get", facts{"/cgi-bin/menu/get", endpoint.Account, true, endpoint.JSON}},
		{"POST /cgi-bin/menu/get", facts{"/cgi-bin/menu/get", endpoint.Account, false, endpoint.JSON}},
		{"GET /cgi-bin/menu/delete", facts{"/cgi-bin/menu/delete", endpoint.Account, false, endpoint.JSON}},
		{"POST /cgi-bin/message/custom/send", facts{"/cgi-bin/message/custom/send", endpoint.Account, false, endpoint.JSON}},
		{"POST /cgi-bin/media/upload", facts{"/cgi-bin/media/upload", endpoint.Account, false, endpoint.Multipart}},
		{"POST /cgi-bin/media/voice/addvoicetorecofortext", facts{"/cgi-bin/media/voice/addvoicetorecofortext", endpoint.Account, false, endpoint.Binary}},
		{"POST /datacube/getusersummary", facts{"/datacube/*", endpoint.Account, true, endpoint.JSON}},
		{"GET /sns/userinfo", facts{"/sns/*", endpoint.None, false, endpoint.JSON}},
		{"GET /sns/oauth2/component/access_token", facts{"/sns/*", endpoint.None, false, endpoint.JSON}},
		{"POST /cgi-bin/component/api_create_preauthcode", facts{"/cgi-bin/component/*", endpoint.Component, false, endpoint.JSON}},
		{"POST /cgi-bin/component/api_query_auth", facts{"/cgi-bin/component/api_query_auth", endpoint.Refused, false, endpoint.JSON}},
		{"POST /cgi-bin/component/api_component_token", facts{"/cgi-bin/component/api_component_token", endpoint.VirtualComponent, false, endpoint.JSON}},
		{"GET /wxa/getaccessory", facts{endpoint.Other, endpoint.Account, false, endpoint.JSON}},
		{"GET /snsx", facts{endpoint.Other, endpoint.Account, false, endpoint.JSON}},
		{"GET /", facts{endpoint.Other, endpoint.Account, false, endpoint.JSON}},
	} {
		method, path, _ := strings.Cut(tt.call, " ")
		e := table.Find(method, path)
		if diff := cmp.Diff(tt.want, facts{e.Path, e.Token, e.Repeat, e.Body}); diff != "" {
			t.Errorf("Find(%s) (-want +got):\n%s", tt.call, diff)
		}
	}
}

func TestNoSpellingOfARefusedPathSlipsThrough(t *testing.T) {
	t.Parallel()
	table := builtIn(t)
	for _, path := range []string{
		"/Cgi-Bin/Clear_Quota/V2/", "/cgi-bin/component/api_query_auth", "/cgi-bin/component/API_authorizer_token/", "/cgi-bin/component/api_get_authorizer_list",
		"/cgi-bin/clear_quota/v2", "/cgi-bin/component/api_start_push_ticket", "/cgi-bin/component/clear_quota/v2",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "HEAD"} {
			if e := table.Find(method, path); e.Token != endpoint.Refused {
				t.Errorf("Find(%s %s).Token = %s, want refused", method, path, e.Token)
			}
		}
	}
}

// A call that sends, creates or deletes must never be marked safe to repeat.
func TestNothingThatActsIsRepeated(t *testing.T) {
	t.Parallel()
	table := builtIn(t)
	for _, path := range []string{
		"/cgi-bin/menu/create", "/cgi-bin/menu/delete", "/cgi-bin/media/upload", "/cgi-bin/material/add_material",
		"/cgi-bin/message/custom/send", "/cgi-bin/message/mass/sendall", "/cgi-bin/message/mass/send",
		"/cgi-bin/message/template/send", "/cgi-bin/freepublish/submit", "/cgi-bin/qrcode/create", "/cgi-bin/clear_quota",
	} {
		for _, method := range []string{"GET", "POST"} {
			if table.Find(method, path).Repeat {
				t.Errorf("%s %s is marked repeat", method, path)
			}
		}
	}
}

func TestNewNamesTheWrongEntry(t *testing.T) {
	t.Parallel()
	get := []string{"GET"}
	for _, tt := range []struct {
		name    string
		entries []endpoint.Endpoint
		want    string
	}{
		{"no slash", []endpoint.Endpoint{{Path: "a", Methods: get}}, `"a"`},
		{"star inside", []endpoint.Endpoint{{Path: "/a*/b", Methods: get}}, "/a*/b"},
		{"no method", []endpoint.Endpoint{{Path: "/a"}}, "methods is empty"},
		{"odd method", []endpoint.Endpoint{{Path: "/a", Methods: []string{"TRACE"}}}, "TRACE"},
		{"odd token", []endpoint.Endpoint{{Path: "/a", Methods: get, Token: "user"}}, "user"},
		{"odd body", []endpoint.Endpoint{{Path: "/a", Methods: get, Body: "xml"}}, "xml"},
		{"twice", []endpoint.Endpoint{{Path: "/a", Methods: get}, {Path: "/A/", Methods: get}}, "twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := endpoint.New(tt.entries); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}
