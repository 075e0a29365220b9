package tokens_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const life = 2 * time.Hour

func value(generation uint64) string { return fmt.Sprintf("SECRET-%d", generation) }

func wire(appID string, generation uint64) *tokenv1.Token {
	return &tokenv1.Token{AppId: appID, Value: value(generation), Generation: generation, ExpiresIn: durationpb.New(life)}
}

// center is a token-center in memory, with levers.
type center struct {
	tokenv1.TokenServiceClient // nil: what the cache does not call.

	mu        sync.Mutex
	away      bool
	refusal   error // of GetToken
	accounts  []string
	current   map[string]uint64
	gets      int
	refreshes []uint64
	stuck     bool // RefreshToken returns the rejected token
	holdup    time.Duration
	streams   []*stream
}

func newCenter(accounts ...string) *center {
	c := &center{accounts: accounts, current: map[string]uint64{}}
	for _, a := range accounts {
		c.current[a] = 1
	}
	return c
}

var errAway = status.Error(codes.Unavailable, "connection refused")

func (c *center) lock() (unlock func(), err error) {
	c.mu.Lock()
	if c.away {
		c.mu.Unlock()
		return nil, errAway
	}
	return c.mu.Unlock, nil
}

func (c *center) GetToken(_ context.Context, r *tokenv1.GetTokenRequest, _ ...grpc.CallOption) (*tokenv1.GetTokenResponse, error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if c.refusal != nil {
		return nil, c.refusal
	}
	c.gets++
	appID := r.GetAppId()
	if appID == "" && len(c.accounts) == 1 {
		appID = c.accounts[0]
	}
	generation, ok := c.current[appID]
	if !ok {
		return nil, status.Error(codes.NotFound, "no such account")
	}
	return &tokenv1.GetTokenResponse{Token: wire(appID, generation)}, nil
}

func (c *center) RefreshToken(ctx context.Context, r *tokenv1.RefreshTokenRequest, _ ...grpc.CallOption) (*tokenv1.RefreshTokenResponse, error) {
	select { // as long as WeChat takes.
	case <-time.After(c.holdup):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	c.refreshes = append(c.refreshes, r.GetRejectedGeneration())
	if c.current[r.GetAppId()] == r.GetRejectedGeneration() && !c.stuck {
		c.current[r.GetAppId()]++
	}
	return &tokenv1.RefreshTokenResponse{Token: wire(r.GetAppId(), c.current[r.GetAppId()])}, nil
}

func (c *center) ListAccounts(context.Context, *tokenv1.ListAccountsRequest, ...grpc.CallOption) (*tokenv1.ListAccountsResponse, error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	// A company of WeChat Work's is in every list, and no call can be made for it.
	resp := &tokenv1.ListAccountsResponse{Accounts: []*tokenv1.Account{{
		AppId: "ww1", Tokens: []*tokenv1.TokenStatus{{Kind: tokenv1.TokenKind_TOKEN_KIND_WORK_ACCESS_TOKEN}},
	}}}
	for _, a := range c.accounts {
		resp.Accounts = append(resp.Accounts, &tokenv1.Account{AppId: a})
	}
	return resp, nil
}

func (c *center) WatchToken(ctx context.Context, _ *tokenv1.WatchTokenRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[tokenv1.WatchTokenResponse], error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	s := &stream{ctx: ctx, next: make(chan *tokenv1.Token, 8), broken: make(chan struct{})}
	for appID, generation := range c.current {
		if generation > 0 {
			s.next <- wire(appID, generation)
		}
	}
	c.streams = append(c.streams, s)
	return s, nil
}

// renew makes a new token by itself, as the active renewal does.
func (c *center) renew(appID string, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current[appID] = generation
	for _, s := range c.streams {
		s.next <- wire(appID, generation)
	}
}

// setAway takes token-center down, streams included, or brings it back.
func (c *center) setAway(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
	if away {
		for _, s := range c.streams {
			close(s.broken)
		}
		c.streams = nil
	}
}

func (c *center) reported() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refreshes
}

type stream struct {
	grpc.ClientStream

	ctx    context.Context
	next   chan *tokenv1.Token
	broken chan struct{}
}

func (s *stream) Recv() (*tokenv1.WatchTokenResponse, error) {
	select {
	case <-s.ctx.Done():
		return nil, status.FromContextError(s.ctx.Err()).Err()
	case <-s.broken:
		return nil, errAway
	case token := <-s.next:
		return &tokenv1.WatchTokenResponse{Token: token}, nil
	}
}

// run starts a cache that watches c, inside a bubble.
func run(t *testing.T, c *center) (*tokens.Cache, *telemetry.Telemetry) {
	t.Helper()
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	cache := tokens.NewCache(c, tel)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- cache.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if strings.Contains(log.String(), "SECRET") {
			t.Errorf("the log shows a token:\n%s", log.String())
		}
	})
	synctest.Wait()
	return cache, tel
}

func wantGeneration(t *testing.T, cache *tokens.Cache, appID string, want uint64) {
	t.Helper()
	token, err := cache.Token(t.Context(), appID)
	if err != nil {
		t.Fatalf("Token(%q): %v", appID, err)
	}
	if token.Generation != want || token.Value.Reveal() != value(want) {
		t.Errorf("Token(%q) has generation %d, want %d", appID, token.Generation, want)
	}
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %s", want)
	}
	if got := fault.KindOf(err); got != want {
		t.Errorf("error %v has kind %s, want %s", err, got, want)
	}
}

func TestTheStreamFeedsTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1", "wx2")
		cache, tel := run(t, c)
		wantGeneration(t, cache, "wx1", 1)
		c.renew("wx1", 2)
		synctest.Wait()
		wantGeneration(t, cache, "wx1", 2)
		wantGeneration(t, cache, "wx2", 1)
		if c.gets != 0 {
			t.Errorf("token-center was asked %d times, want 0: the stream tells", c.gets)
		}
		if report, ready := tel.Health.Report(); !ready {
			t.Errorf("not ready: %+v", report)
		}
	})
}

func TestAnAnswerThatWasOvertakenIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		cache, _ := run(t, c)
		c.renew("wx1", 7)
		c.renew("wx1", 6)
		synctest.Wait()
		wantGeneration(t, cache, "wx1", 7)
	})
}

func TestTheLastTokenStaysInUseWhileTokenCenterIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		cache, tel := run(t, c)
		c.setAway(true)
		time.Sleep(time.Minute)
		wantGeneration(t, cache, "wx1", 1)
		report, ready := tel.Health.Report()
		if diff := cmp.Diff([]string{"token-center"}, report.Down()); diff != "" || !ready {
			t.Errorf("ready=%v, components down (-want +got):\n%s", ready, diff)
		}

		time.Sleep(life) // now the last token is dead.
		_, err := cache.Token(t.Context(), "wx1")
		wantKind(t, err, fault.Unavailable)
		if report, _ := tel.Health.Report(); !slices.Contains(report.Down(), "tokens") {
			t.Error("health is fine without a valid token")
		}

		c.setAway(false)
		c.renew("wx1", 2)
		time.Sleep(10 * time.Second)
		wantGeneration(t, cache, "wx1", 2)
		if report, ready := tel.Health.Report(); !ready || len(report.Down()) != 0 {
			t.Errorf("ready=%v, %+v after token-center came back", ready, report)
		}
	})
}

func TestAStreamThatEndsIsOpenedAgainWithoutAlarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		cache, tel := run(t, c)
		for generation := uint64(2); generation < 6; generation++ {
			time.Sleep(30 * time.Second)
			c.setAway(true)
			c.setAway(false)
			c.renew("wx1", generation)
			synctest.Wait()
			if report, _ := tel.Health.Report(); len(report.Down()) != 0 {
				t.Errorf("down: %v", report.Down())
			}
			time.Sleep(100 * time.Millisecond)
			wantGeneration(t, cache, "wx1", generation)
		}
	})
}

func TestBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		c.away = true
		cache, tel := run(t, c)
		_, err := cache.Token(t.Context(), "wx1")
		wantKind(t, err, fault.Unavailable)
		if fault.RetryAfter(err) == 0 {
			t.Error("the caller is not told when to try again")
		}
		if report, _ := tel.Health.Report(); !slices.Contains(report.Down(), "tokens") {
			t.Error("health is fine without a token")
		}
	})
}

func TestGetTokenFillsTheGapOnceForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		cache := tokens.NewCache(c, telemetry.Discard()) // nobody runs it: no stream.
		wantGeneration(t, cache, "", 1)
		for range 50 {
			wantGeneration(t, cache, "wx1", 1)
		}
		if c.gets != 1 {
			t.Errorf("token-center was asked %d times, want 1", c.gets)
		}
	})
}

func TestWhichAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, _ := run(t, newCenter("wx1"))
		wantGeneration(t, one, "", 1)
		two, _ := run(t, newCenter("wx1", "wx2"))
		_, err := two.Token(t.Context(), "")
		wantKind(t, err, fault.Invalid)
		none, _ := run(t, newCenter())
		_, err = none.Token(t.Context(), "")
		wantKind(t, err, fault.Invalid)
		c := newCenter("wx1")
		some, _ := run(t, c)
		_, err = some.Token(t.Context(), "wx9")
		wantKind(t, err, fault.NotFound)
		if c.gets != 0 {
			t.Error("an unknown account reached token-center")
		}
	})
}

func TestManyRejectionsCauseOneRefreshPerGeneration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		c.holdup = 2 * time.Second
		cache, _ := run(t, c)
		for generation := uint64(1); generation <= 2; generation++ {
			rejected, err := cache.Token(t.Context(), "wx1")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * 20 * time.Millisecond) // before, during and after the renewal.
					newer, err := cache.Renew(t.Context(), rejected)
					if err != nil || newer.Generation != generation+1 {
						t.Errorf("Renew = generation %d, %v", newer.Generation, err)
					}
				})
			}
			wg.Wait()
		}
		if diff := cmp.Diff([]uint64{1, 2}, c.reported()); diff != "" {
			t.Errorf("reports to token-center (-want +got):\n%s", diff)
		}
	})
}

func TestWhoLeavesDoesNotSpoilTheRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		c.holdup = 3 * time.Second
		cache, _ := run(t, c)
		rejected, err := cache.Token(t.Context(), "wx1")
		if err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := cache.Renew(impatient, rejected); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient one got %v", err)
			}
		})
		synctest.Wait() // its question is on the way.
		if _, err := cache.Renew(t.Context(), rejected); err != nil {
			t.Errorf("the patient one got %v", err)
		}
		wg.Wait()
		if diff := cmp.Diff([]uint64{1}, c.reported()); diff != "" {
			t.Errorf("reports (-want +got):\n%s", diff)
		}
	})
}

// A rejection that no refresh cures must not become a storm.
func TestARenewalThatFailsIsNotStormed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		c.stuck = true
		cache, _ := run(t, c)
		rejected, err := cache.Token(t.Context(), "wx1")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			_, err := cache.Renew(t.Context(), rejected)
			wantKind(t, err, fault.Unavailable)
			time.Sleep(25 * time.Millisecond)
		}
		if got := len(c.reported()); got != 3 {
			t.Errorf("%d reports in 2.5 s, want one a second", got)
		}
	})
}

// token-center's store was lost and counts from 1 again: the proxy must get out of it by itself.
func TestALostStoreHeals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1")
		c.current["wx1"] = 57
		cache, _ := run(t, c)
		rejected, err := cache.Token(t.Context(), "wx1")
		if err != nil {
			t.Fatal(err)
		}
		c.renew("wx1", 1)
		synctest.Wait()
		wantGeneration(t, cache, "wx1", 57)
		newer, err := cache.Renew(t.Context(), rejected)
		if err != nil || newer.Generation != 1 {
			t.Errorf("Renew = generation %d, %v; want 1", newer.Generation, err)
		}
		wantGeneration(t, cache, "wx1", 1)
	})
}

func TestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCenter("wx1", "wx2")
		c.current["wx2"] = 0
		_, tel := run(t, c)
		time.Sleep(90 * time.Second)
		const want = `
# HELP apiproxy_token_age_seconds Time since the account's access token in memory came from token-center.
# TYPE apiproxy_token_age_seconds gauge
apiproxy_token_age_seconds{app_id="wx1"} 90
`
		if err := testutil.GatherAndCompare(tel.Metrics, strings.NewReader(want), "apiproxy_token_age_seconds"); err != nil {
			t.Error(err)
		}
	})
}

func TestATokenPrintsWithoutItsValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache, _ := run(t, newCenter("wx1"))
		token, err := cache.Token(t.Context(), "wx1")
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, token); strings.Contains(text, "SECRET") {
				t.Errorf("%s shows %s", verb, text)
			}
		}
	})
}

// The operator reads api-proxy's answer first, and must not have to look for the log of another service.
func TestWhyTokenCenterCannotFetchIsPassedOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sent  *fault.Error
		kind  fault.Kind
		after time.Duration
		want  []string
		not   string
	}{
		"address": {
			fault.New(fault.Precondition, "errcode 40164 (ip_not_allowed) from 203.0.113.9; add the address to the IP白名单"),
			fault.Precondition, 0, []string{"wx1", "203.0.113.9", "IP白名单"}, "log",
		},
		"secret": {fault.New(fault.Precondition, "errcode 40125; check app_secret_file"), fault.Precondition, 0, []string{"wx1", "app_secret_file"}, ""},
		"quota":  {fault.New(fault.QuotaSpent, "errcode 45009; wait for midnight"), fault.QuotaSpent, 0, []string{"midnight"}, ""},
		"allowance": {
			fault.New(fault.Throttled, "the allowance is used up").WithRetryAfter(7 * time.Second),
			fault.Throttled, 7 * time.Second, []string{"allowance"}, "",
		},
		"their own fault": {fault.New(fault.Internal, "a stack trace"), fault.Unavailable, time.Second, []string{"TOKEN_CENTER_ADDR"}, "stack"},
		"our key":         {fault.New(fault.Unauthenticated, "who are you"), fault.Precondition, 0, []string{"TOKEN_CENTER_KEY_FILE"}, "who are you"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCenter("wx1")
			c.refusal = tt.sent.GRPCStatus().Err()
			_, err := tokens.NewCache(c, telemetry.Discard()).Token(t.Context(), "wx1")
			known, ok := errors.AsType[*fault.Error](err)
			if !ok || known.Kind() != tt.kind || fault.RetryAfter(err) != tt.after {
				t.Fatalf("error %v is %v, to be tried again after %v; want %v after %v", err, fault.KindOf(err), fault.RetryAfter(err), tt.kind, tt.after)
			}
			for _, want := range tt.want {
				if !strings.Contains(known.Message(), want) {
					t.Errorf("message %q does not say %q", known.Message(), want)
				}
			}
			if tt.not != "" && strings.Contains(known.Message(), tt.not) {
				t.Errorf("message %q says %q", known.Message(), tt.not)
			}
		})
	}
}
