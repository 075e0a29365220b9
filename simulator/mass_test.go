package simulator

import (
	"net/http"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// TestMassMessages covers api.md section 5, mass send.
func TestMassMessages(t *testing.T) {
	t.Parallel()
	platform := startFollowers(t, "oOTHER0", "oGONE0")
	const all, preview = "/cgi-bin/message/mass/sendall", "/cgi-bin/message/mass/preview"
	const text = `"msgtype":"text","text":{"content":"群发"}`
	walk(t, platform, []apiStep{
		{http.MethodPost, "/cgi-bin/tags/create", `{"tag":{"name":"x"}}`, `"id":100`},
		{http.MethodPost, "/cgi-bin/tags/members/batchtagging", `{"openid_list":["oOTHER0"],"tagid":100}`, `"errcode":0`},
		{http.MethodPost, all, `{"filter":{"is_to_all":true},"clientmsgid":"once",` + text + `}`, `"msg_id":`},
		{http.MethodPost, all, `{"filter":{"is_to_all":true},"clientmsgid":"once",` + text + `}`, `"errcode":45066`},
		{http.MethodPost, all, `{"filter":{"is_to_all":false,"tag_id":100},` + text + `}`, `"errcode":0`},
		{http.MethodPost, all, `{"filter":{"is_to_all":false,"tag_id":7},` + text + `}`, `"errcode":45159`},
		{http.MethodPost, all, `{` + text + `}`, `"errcode":40097`},
		{http.MethodPost, all, `{"filter":{"is_to_all":true},"msgtype":"news"}`, `"errcode":40008`},
		{http.MethodPost, all, `{"filter":{"is_to_all":true},"msgtype":"image","images":{"media_ids":["x"]}}`, `"errcode":40007`},
		{http.MethodPost, all, `{"filter":{"is_to_all":true},"msgtype":"mpnews","mpnews":{"media_id":"` + DefaultNewsID + `"}}`, `"errcode":0`},
		{http.MethodPost, preview, `{"touser":"oOTHER0",` + text + `}`, `"msg_id":`},
		{http.MethodPost, preview, `{"touser":"oNOBODY",` + text + `}`, `"errcode":40003`},
		{http.MethodPost, preview, `{"touser":"oGONE0",` + text + `}`, `"errcode":43004`},
		{http.MethodPost, preview, `{"towxname":"x",` + text + `}`, `"errcode":40132`},
	})
	count := func(openID string) (lines int) {
		for _, line := range platform.Chat(openID) {
			if line.Channel == ChannelMass {
				lines++
			}
		}

		return lines
	}
	for openID, want := range map[string]int{DefaultFollower: 2, "oOTHER0": 4, "oGONE0": 0} {
		if got := count(openID); got != want {
			t.Errorf("%s sees %d mass messages, want %d", openID, got, want)
		}
	}
}

// TestUserSummary covers api.md section 5, statistics.
func TestUserSummary(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 10, 0, 30, 0, 0, quota.China)
	for name, test := range map[string]struct {
		begin, end string
		want       errcode.Code
	}{
		"seven days": {"2026-01-03", "2026-01-09", errcode.OK},
		"eight days": {"2026-01-02", "2026-01-09", errcode.DateRange},
		"today":      {"2026-01-10", "2026-01-10", errcode.DateRange},
		"backwards":  {"2026-01-05", "2026-01-04", errcode.DateRange},
		"bad begin":  {"2026-1-5", "2026-01-05", errcode.Date},
		"bad end":    {"2026-01-05", "", errcode.Date},
	} {
		if got := answerStatistics(test.begin, test.end, now).code; got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	platform := Start(t)
	walk(t, platform, []apiStep{
		{http.MethodPost, "/datacube/getusersummary", `{"begin_date":"2026-01-03","end_date":"2026-01-04"}`, `{"list":[]}`},
		{http.MethodPost, "/datacube/getarticlesummary", `{}`, `"errcode":40066`},
	})
}
