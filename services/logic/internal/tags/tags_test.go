package tags_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/logic/internal/tags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platform is an api-proxy whose account has the tags 101 (VIP) and 102, and whose follower oVIP has both.
type platform struct {
	calls   atomic.Int32
	takes   time.Duration
	err     error
	errcode int32
	body    string // instead of what is right
}

func (p *platform) Call(ctx context.Context, in *apiproxyv1.CallRequest, _ ...grpc.CallOption) (*apiproxyv1.CallResponse, error) {
	p.calls.Add(1)
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.err != nil || p.errcode != 0 {
		return &apiproxyv1.CallResponse{Errcode: p.errcode, Errmsg: "invalid openid oVIP"}, p.err
	}
	body := p.body
	switch {
	case body != "":
	case in.GetPath() == "/cgi-bin/tags/get":
		body = `{"tags":[{"id":101,"name":"VIP","count":1},{"id":103,"name":"old","count":0}]}`
	case openID(in) == "oVIP":
		body = `{"tagid_list":[101,102]}`
	default:
		body = `{"tagid_list":[]}`
	}
	return &apiproxyv1.CallResponse{Body: []byte(body)}, nil
}

func openID(in *apiproxyv1.CallRequest) string {
	var asked struct {
		OpenID string `json:"openid"`
	}
	_ = json.Unmarshal(in.GetBody(), &asked)
	return asked.OpenID
}

func TestOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platform{}
		book := tags.NewBook(p)
		want := []string{"101", "VIP", "102"}
		for range 2 {
			got, err := book.Of(t.Context(), "wx1", "oVIP")
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
			if got, err := book.Of(t.Context(), "wx1", "oOTHER"); len(got) != 0 || err != nil {
				t.Error(got, err)
			}
		}
		if got := p.calls.Load(); got != 3 {
			t.Errorf("%d calls for two followers and the names, want 3", got)
		}
		time.Sleep(5 * time.Minute)
		if _, err := book.Of(t.Context(), "wx1", "oVIP"); err != nil || p.calls.Load() != 4 {
			t.Errorf("after its life the answer is asked for again: %d calls, %v", p.calls.Load(), err)
		}
		time.Sleep(25 * time.Minute)
		if _, err := book.Of(t.Context(), "wx1", "oVIP"); err != nil || p.calls.Load() != 6 {
			t.Errorf("the names grow old as well: %d calls, %v", p.calls.Load(), err)
		}
		if _, err := book.Of(t.Context(), "wx2", "oVIP"); err != nil || p.calls.Load() != 8 {
			t.Errorf("another account has tags of its own: %d calls, %v", p.calls.Load(), err)
		}
	})
}

// TestManyAskOnce: a thousand messages of one follower cost one look-up, and who gives up spoils it for nobody.
func TestManyAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &platform{takes: time.Second}
		book := tags.NewBook(p)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		gaveUp := make(chan error, 1)
		go func() {
			_, err := book.Of(impatient, "wx1", "oVIP")
			gaveUp <- err
		}()
		synctest.Wait()
		found := make(chan int, 1000)
		for range cap(found) {
			go func() {
				got, _ := book.Of(t.Context(), "wx1", "oVIP")
				found <- len(got)
			}()
		}
		for range cap(found) {
			if got := <-found; got != 3 {
				t.Fatalf("%d tags", got)
			}
		}
		if err := <-gaveUp; !errors.Is(err, context.DeadlineExceeded) || p.calls.Load() != 2 {
			t.Errorf("%v, %d calls", err, p.calls.Load())
		}
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		platform *platform
		want     string
	}{
		"unreachable": {&platform{err: errors.New("connection refused")}, "ask api-proxy (API_PROXY_ADDR) for /cgi-bin/tags/getidlist: connection refused"},
		"refused":     {&platform{errcode: 48001}, "errcode 48001"},
		"no JSON":     {&platform{body: "<html>"}, "read the answer"},
		"too slow":    {&platform{takes: time.Minute}, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				book := tags.NewBook(test.platform)
				for asked := int32(1); asked < 3; asked++ {
					_, err := book.Of(t.Context(), "wx1", "oVIP")
					if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "oVIP") {
						t.Errorf("want %q and no OpenID, got %v", test.want, err)
					}
					if got := test.platform.calls.Load(); got != asked {
						t.Errorf("%d calls, want %d: a failure is not remembered", got, asked)
					}
				}
			})
		})
	}
}
