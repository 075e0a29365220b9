package tokencenter_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/redistest"
)

const (
	testCallerKey  = "test-caller-key-do-not-log-0123456789"
	otherCallerKey = "other-caller-key-do-not-log-123456789"
)

// callersFile has api-proxy, which may have everything, and stranger, whose account is another one.
func callersFile(t *testing.T) string {
	t.Helper()
	return file(t, "callers.yaml", fmt.Sprintf(`callers:
  - {name: api-proxy, key_file: %s, accounts: "*"}
  - {name: stranger, key_file: %s, accounts: wx00000000000000c2}
`, file(t, "key", testCallerKey), file(t, "other", otherCallerKey)))
}

func withKey(key string) grpc.DialOption { return rpc.WithKey(config.NewSecret(key)) }

func TestOnlyKnownCallersGetTokensAndOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	_, server := redistest.Mini(t)
	cfg := testConfig(t, newPlatform(t), "redis://"+server.Addr(), "stable")
	cfg.CallersFile = callersFile(t)
	for name, tt := range map[string]struct {
		options []grpc.DialOption
		want    fault.Kind
		seen    int
	}{
		"a caller with every right":      {[]grpc.DialOption{withKey(testCallerKey)}, "", 1},
		"a caller of another account":    {[]grpc.DialOption{withKey(otherCallerKey)}, fault.Forbidden, 0},
		"a caller with a key of its own": {[]grpc.DialOption{withKey("made-up")}, fault.Unauthenticated, 0},
		"a caller without a key":         {nil, fault.Unauthenticated, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, ctx := startReplica(t, cfg, tt.options...), testContext(t)
			_, err := r.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: testAppID})
			if (err == nil) != (tt.want == "") || (err != nil && fault.KindOf(err) != tt.want) {
				t.Errorf("GetToken gave %v, want kind %q", err, tt.want)
			}
			stream, err := r.WatchToken(ctx, &tokenv1.WatchTokenRequest{AppIds: []string{testAppID}})
			if err == nil {
				_, err = stream.Recv()
			}
			if (err == nil) != (tt.want == "") || (err != nil && fault.KindOf(fault.FromStatus(err)) != tt.want) {
				t.Errorf("WatchToken gave %v, want kind %q", err, tt.want)
			}
			list, err := r.ListAccounts(ctx, &tokenv1.ListAccountsRequest{})
			if (err == nil) == (tt.want == fault.Unauthenticated) || len(list.GetAccounts()) != tt.seen {
				t.Errorf("ListAccounts gave %v, %v; want %d", list, err, tt.seen)
			}
			r.stop()
			if log := r.log.String(); strings.Contains(log, testCallerKey) || strings.Contains(log, otherCallerKey) {
				t.Errorf("a caller key is in the log:\n%s", log)
			}
		})
	}
}
