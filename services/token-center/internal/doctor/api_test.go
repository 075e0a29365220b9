package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/egress"
)

func TestNeitherTokenNorURLIsInAnError(t *testing.T) {
	t.Parallel()
	const token = "live-token-do-not-log"
	for name, hosts := range map[string][]string{"nobody": {"http://127.0.0.1:1"}, "no host": nil, "not a URL": {"http://%zz"}} {
		api := NewAPI(hosts, egress.Way{})
		got := api.get(t.Context(), "/cgi-bin/user/get", config.NewSecret(token))
		api.Close()
		if got.err == nil || got.ok() || !got.asked() || strings.Contains(got.err.Error(), token) || strings.Contains(got.err.Error(), "user/get") {
			t.Errorf("%s: %v", name, got.err)
		}
	}
}

func TestTheNextHostIsAskedAndTheClockRead(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"errcode":48001,"errmsg":"api unauthorized"}`)
	}))
	t.Cleanup(server.Close)
	api := NewAPI([]string{"http://127.0.0.1:1", server.URL}, egress.Way{})
	t.Cleanup(api.Close)
	got := api.post(t.Context(), "/x", config.NewSecret("t"), map[string]string{})
	if got.err != nil || got.code != 48001 {
		t.Fatalf("code %d, error %v", got.code, got.err)
	}
	if c := clockOf(got); !c.known || (c.ahead-time.Hour).Abs() > time.Minute {
		t.Errorf("clock %+v, want an hour ahead", c)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"errcode":0,"quota":{"daily_limit":500,"used":1,"remain":499}}`))
	f.Add([]byte(`{"dns":[{"ip":"192.0.2.1","real_operator":"UNICOM"}],"ping":[{"ip":"192.0.2.1","package_loss":"100%","time":""}]}`))
	f.Add([]byte(`{"quota":{"daily_limit":-1,"remain":9223372036854775807}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		from := answer{body: body, at: noon}
		facts := well()
		facts.quotas = []quota{parseQuota("/x", from)}
		facts.callback = parseCallback(from)
		for _, finding := range judge(facts) {
			if finding.Text == "" || strings.ContainsAny(finding.Text+finding.Remedy, "\n\r") {
				t.Errorf("finding %+v of %q", finding, body)
			}
		}
	})
}
