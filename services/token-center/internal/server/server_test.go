package server_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/lease"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/server"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const life = 7200 * time.Second

// serial issues secret-1, secret-2 and so on.
type serial struct{ n int }

func (s *serial) Issue(context.Context, credential.Request) (credential.Issued, error) {
	s.n++
	return credential.Issued{Value: config.NewSecret(fmt.Sprintf("secret-%d", s.n)), Life: life}, nil
}

// house is a server with its keepers, over memory.
type house struct {
	tokenv1.TokenServiceClient

	server *server.Server
	store  *store.Memory
}

// open runs a server for accounts wx1 to wxN in the present bubble.
func open(t *testing.T, accounts int) *house {
	t.Helper()
	tel, h := telemetry.Discard(), &house{store: store.NewMemory()}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var shown []server.Account
	for i := range accounts {
		key := credential.Key{AppID: fmt.Sprintf("wx%d", i+1), Kind: credential.AccessToken}
		keeper := refresh.New(refresh.Config{
			Key: key, Spec: kind.Classic(), Issuer: &serial{}, Store: h.store,
			Lease: lease.NewMemory(time.Minute), Ledger: spend.NewMemory(), Metrics: refresh.NewMetrics(tel.Metrics),
			Health: tel.Health.Component(key.AppID), Log: tel.Log,
		})
		shown = append(shown, server.Account{
			AppID: key.AppID, OriginalID: "gh_" + key.AppID, Kind: "service", TokenAPI: "classic",
			Credentials: map[credential.Kind]*refresh.Refresher{credential.AccessToken: keeper},
		})
		wg.Go(func() { _ = keeper.Run(ctx) })
		wg.Go(func() { _ = h.store.Watch(ctx, []credential.Key{key}, func(credential.Key) { keeper.Notify() }) })
	}
	h.server = server.New(shown)
	grpcServer, err := rpc.NewServer(tel, rpc.TLS{})
	if err != nil {
		t.Fatal(err)
	}
	tokenv1.RegisterTokenServiceServer(grpcServer, h.server)
	lis := bufconn.Listen(1 << 20)
	wg.Go(func() { _ = grpcServer.Run(ctx, lis) })
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	h.TokenServiceClient = tokenv1.NewTokenServiceClient(conn)
	t.Cleanup(func() {
		h.server.Drain()
		_ = conn.Close()
		cancel()
		wg.Wait()
	})
	return h
}

func inBubble(t *testing.T, accounts int, run func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, open(t, accounts)) })
}

// put saves a token as another replica would.
func (h *house) put(t *testing.T, appID string, generation credential.Generation, value string) {
	t.Helper()
	now := credential.Instant(time.Now())
	err := h.store.Save(t.Context(), credential.Credential{
		Key: credential.Key{AppID: appID, Kind: credential.AccessToken}, Value: config.NewSecret(value),
		Generation: generation, ObtainedAt: now, ExpiresAt: now.Add(life),
	})
	if err != nil {
		t.Fatal(err)
	}
}

const far = credential.Generation(1) << 40

func TestGetTokenTellsTheTrueRemainingLife(t *testing.T) {
	t.Parallel()
	inBubble(t, 1, func(t *testing.T, h *house) {
		first, err := h.GetToken(t.Context(), &tokenv1.GetTokenRequest{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		second, err := h.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: "wx1", Kind: tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN})
		if err != nil {
			t.Fatal(err)
		}
		got, want := second.GetToken().GetExpiresIn().AsDuration(), first.GetToken().GetExpiresIn().AsDuration()-time.Hour
		if got != want || first.GetToken().GetValue() != "secret-1" || second.GetToken().GetValue() != "secret-1" {
			t.Errorf("after an hour %v are left, want %v", got, want)
		}
	})
}

func TestBadRequestsAreNamed(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, h *house) {
		watch := func(req *tokenv1.WatchTokenRequest) error {
			stream, err := h.WatchToken(t.Context(), req)
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		}
		_, empty := h.GetToken(t.Context(), &tokenv1.GetTokenRequest{})
		_, unknown := h.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: "wx9"})
		_, noKind := h.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: "wx1", Kind: 9})
		_, noReason := h.RefreshToken(t.Context(), &tokenv1.RefreshTokenRequest{AppId: "wx1"})
		_, refreshUnknown := h.RefreshToken(t.Context(), &tokenv1.RefreshTokenRequest{AppId: "wx9"})
		tests := map[string]struct {
			err  error
			kind fault.Kind
			text string
		}{
			"no app_id of two":      {empty, fault.Invalid, "app_id"},
			"unknown account":       {unknown, fault.NotFound, "WX_ACCOUNTS_FILE"},
			"unknown kind":          {noKind, fault.Invalid, "kind"},
			"refresh unknown":       {refreshUnknown, fault.NotFound, "wx9"},
			"refresh without cause": {noReason, fault.Invalid, "rejected_generation"},
			"watch unknown":         {watch(&tokenv1.WatchTokenRequest{AppIds: []string{"wx1", "wx9"}}), fault.NotFound, "wx9"},
			"watch unknown kind":    {watch(&tokenv1.WatchTokenRequest{Kind: 9}), fault.Invalid, "kind"},
		}
		for name, tt := range tests {
			if err := fault.FromStatus(tt.err); err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAWatcherGetsTheCurrentTokenAndThenEachChange(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, h *house) {
		time.Sleep(time.Second) // both tokens are there.
		stream, err := h.WatchToken(t.Context(), &tokenv1.WatchTokenRequest{})
		if err != nil {
			t.Fatal(err)
		}
		receive := func() string {
			t.Helper()
			resp, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			return resp.GetToken().GetAppId() + " " + resp.GetToken().GetValue()
		}
		if a, b := receive(), receive(); a != "wx1 secret-1" || b != "wx2 secret-1" {
			t.Errorf("first came %q and %q", a, b)
		}
		h.put(t, "wx2", far, "newer")
		if got := receive(); got != "wx2 newer" {
			t.Errorf("then came %q", got)
		}
		refreshed, err := h.RefreshToken(t.Context(), &tokenv1.RefreshTokenRequest{
			AppId: "wx1", Rejected: &tokenv1.RefreshTokenRequest_RejectedValue{RejectedValue: "secret-1"},
		})
		if err != nil || refreshed.GetToken().GetValue() != "secret-2" {
			t.Errorf("refreshed %v", err)
		}
		// Before the classic call the old token's life was shortened, which a watcher may or may not see.
		got := receive()
		if got == "wx1 secret-1" {
			got = receive()
		}
		if got != "wx1 secret-2" {
			t.Errorf("then came %q", got)
		}
		h.server.Drain()
		if _, err := stream.Recv(); fault.KindOf(fault.FromStatus(err)) != fault.Unavailable {
			t.Errorf("the drained watch ended with %v", err)
		}
	})
}

// slowStream is a watcher that takes each value only when the test does.
type slowStream struct {
	grpc.ServerStream

	ctx  context.Context
	sent chan *tokenv1.WatchTokenResponse
}

func (s *slowStream) Context() context.Context { return s.ctx }

func (s *slowStream) Send(resp *tokenv1.WatchTokenResponse) error {
	s.sent <- resp
	return nil
}

func TestASlowWatcherSkipsToTheNewestAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	inBubble(t, 1, func(t *testing.T, h *house) {
		time.Sleep(time.Second)
		ctx, leave := context.WithCancel(t.Context())
		stream := &slowStream{ctx: ctx, sent: make(chan *tokenv1.WatchTokenResponse)}
		done := make(chan error, 1)
		go func() { done <- h.server.WatchToken(&tokenv1.WatchTokenRequest{AppIds: []string{"wx1"}}, stream) }()
		synctest.Wait() // it is stuck in sending the current one.
		const changes = 100
		for i := range changes {
			h.put(t, "wx1", far+credential.Generation(i), fmt.Sprintf("newer-%d", i))
			synctest.Wait()
		}
		if got := (<-stream.sent).GetToken().GetValue(); got != "secret-1" {
			t.Errorf("first came %q", got)
		}
		if got := (<-stream.sent).GetToken().GetValue(); got != "newer-99" {
			t.Errorf("then came %q, not the newest", got)
		}
		synctest.Wait()
		leave()
		select {
		case extra := <-stream.sent:
			t.Errorf("and then %v", extra.GetToken().GetGeneration())
		case err := <-done:
			if err != nil {
				t.Errorf("the watch ended with %v", err)
			}
		}
	})
}

func TestListAccountsShowsHowATokenIsButNotTheToken(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, h *house) {
		time.Sleep(time.Second)
		list, err := h.ListAccounts(t.Context(), &tokenv1.ListAccountsRequest{})
		if err != nil || len(list.GetAccounts()) != 2 {
			t.Fatalf("accounts %v, %v", list, err)
		}
		a := list.GetAccounts()[1]
		token := a.GetTokens()[0]
		if a.GetAppId() != "wx2" || a.GetOriginalId() != "gh_wx2" || a.GetTokenApi() != "classic" || a.GetKind() != "service" {
			t.Errorf("account %v", a)
		}
		if token.GetGeneration() == 0 || !token.GetExpireTime().AsTime().After(time.Now()) || token.GetProblem() != "" {
			t.Errorf("token %v", token)
		}
		if strings.Contains(list.String(), "secret-") {
			t.Error("the list shows a token")
		}
	})
}

// Callers mix fields up, and what they are told is logged on both sides.
func TestATokenInThePlaceOfAnAppIDIsNotRepeated(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, h *house) {
		token := strings.Repeat("t", 136)
		_, err := h.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: token})
		if err == nil || strings.Contains(err.Error(), token[:32]) || fault.KindOf(fault.FromStatus(err)) != fault.NotFound {
			t.Errorf("error = %v", err)
		}
	})
}
