package allowlist

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
)

var errDown = errors.New("api-proxy is down")

// TestKeeper lives through three weeks in which WeChat's list cannot always be had.
func TestKeeper(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	steps := []struct {
		name  string
		fetch func() ([]string, error)
		after time.Duration
		// asked bounds how often WeChat is asked meanwhile.
		fewest, most int
		admitted     bool // a stranger
		status       string
		reason       string
	}{
		{"api-proxy is not up yet", fails(errDown), 10 * time.Minute, 5, 10, true, "degraded", "no list yet: api-proxy is down"},
		{"the first list", gives("192.0.2.1"), day, 1, 2, false, "ready", ""},
		{"one a day", gives("192.0.2.1", "192.0.2.2"), 3 * day, 2, 4, false, "ready", ""},
		{"an empty one", gives(), 2 * day, 40, 80, false, "ready", ""},
		{"one that is not understood", gives("192.0.2.0-192.0.2.255"), 3 * day, 60, 100, false, "ready", ""},
		{"and that for too long", fails(errDown), 3 * day, 60, 100, true, "degraded", "older than 7 days"},
		{"back", gives("192.0.2.1"), 2 * time.Hour, 1, 1, false, "ready", ""},
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		tel := telemetry.ForTest(&log)
		var wechat wechat
		k := NewKeeper(wechat.fetch, tel)
		if report, _ := tel.Health.Report(); report.Status != "degraded" || log.Len() != 0 {
			t.Errorf("before the first list: %+v, log %q", report, log.String())
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		wechat.become(steps[0].fetch)
		go func() { stopped <- k.Run(ctx) }()
		for _, step := range steps {
			wechat.become(step.fetch)
			time.Sleep(step.after)
			synctest.Wait()
			report, ready := tel.Health.Report()
			if got := k.List().Admits(netip.MustParseAddr("198.51.100.9"), time.Now()); got != step.admitted || report.Status != step.status || !ready {
				t.Errorf("%s: a stranger is admitted: %v, want %v; health %+v", step.name, got, step.admitted, report)
			}
			if got := report.Components["callback-addresses"]; !strings.Contains(got, step.reason) {
				t.Errorf("%s: component %q, want %q", step.name, got, step.reason)
			}
			if !k.List().Admits(netip.MustParseAddr("192.0.2.1"), time.Now()) {
				t.Errorf("%s: WeChat is not admitted", step.name)
			}
			if asked := wechat.asked(); asked < step.fewest || asked > step.most {
				t.Errorf("%s: asked %d times, want %d to %d", step.name, asked, step.fewest, step.most)
			}
		}
		if got := strings.Count(log.String(), "not renewed"); got != 1 {
			t.Errorf("a failing refresh is told once: %d lines", got)
		}
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// wechat gives its list in changing ways.
type wechat struct {
	mu    sync.Mutex
	how   func() ([]string, error)
	times int
}

func (w *wechat) become(how func() ([]string, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.how, w.times = how, 0
}

func (w *wechat) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.times
}

func (w *wechat) fetch(context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times++
	return w.how()
}

func gives(entries ...string) func() ([]string, error) {
	return func() ([]string, error) { return entries, nil }
}

func fails(err error) func() ([]string, error) {
	return func() ([]string, error) { return nil, err }
}

func TestPause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failures int
		jitter   float64
		want     time.Duration
	}{
		{0, 0, 24 * time.Hour},
		{0, 0.5, 21*time.Hour + 36*time.Minute},
		{1, 0, 5 * time.Second},
		{2, 0, 10 * time.Second},
		{3, 0.5, 18 * time.Second},
		{10, 0, 2560 * time.Second},
		{11, 0, time.Hour},
		{1 << 40, 0, time.Hour},
	} {
		if got := pause(tt.failures, tt.jitter); got != tt.want {
			t.Errorf("pause(%d, %v) = %v, want %v", tt.failures, tt.jitter, got, tt.want)
		}
	}
}

// platform answers calls by AppID.
type platform struct {
	answers map[string]*apiproxyv1.CallResponse
	asked   []string
}

func (p *platform) Call(_ context.Context, in *apiproxyv1.CallRequest, _ ...grpc.CallOption) (*apiproxyv1.CallResponse, error) {
	p.asked = append(p.asked, in.GetAppId()+" "+in.GetMethod()+" "+in.GetPath())
	answer, ok := p.answers[in.GetAppId()]
	if !ok {
		return nil, errDown
	}
	return answer, nil
}

func TestFromWeChatAsksInEachAccountsName(t *testing.T) {
	t.Parallel()
	p := &platform{answers: map[string]*apiproxyv1.CallResponse{
		"wx2": {Errcode: 40164, Errmsg: "invalid ip"},
		"wx3": {Body: []byte(`<html>`)},
		"wx4": {Body: []byte(`{"ip_list":["192.0.2.1","198.51.100.0/24"]}`)},
	}}
	fetch := FromWeChat(p, func() []string { return []string{"wx1", "wx2", "wx3", "wx4"} })
	for _, want := range []string{"api-proxy is down", "errcode 40164: errmsg names", "read the list"} {
		if _, err := fetch(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
	if got, err := fetch(t.Context()); err != nil || !slices.Equal(got, []string{"192.0.2.1", "198.51.100.0/24"}) {
		t.Errorf("list %q, %v", got, err)
	}
	if len(p.asked) != 4 || p.asked[3] != "wx4 GET /cgi-bin/getcallbackip" {
		t.Errorf("asked %q", p.asked)
	}
}
