package ha

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// A run with everything that goes right and wrong leaves no token and no secret in a log, a trace, a metric,
// Redis, or the cache file. Reports carry a token's value, refused requests the AppSecret.
func TestARunLeavesNoTokenAndNoSecretBehind(t *testing.T) {
	t.Parallel()
	for _, api := range []string{"stable", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			redis := startRedis(t)
			traces := startCollector(t)
			platform := startPlatform(t, 0)
			cache := filepath.Join(t.TempDir(), "tokens")
			c := startCenters(t, platform, "redis://"+redis.addr, api, 1,
				"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+traces.addr, "TOKEN_CENTER_CACHE_FILE="+cache)
			provoke(t, c)
			metrics, err := httpGet(t.Context(), "http://"+c.replicas[0].debug+"/metrics")
			if err != nil {
				t.Fatal(err)
			}
			redis.showsNone(t, c.secrets(t))
			c.replicas[0].Signal(t, syscall.SIGTERM)
			if err := c.replicas[0].Wait(t); err != nil {
				t.Errorf("token-center ended with %v", err)
			}
			for what, content := range map[string]string{
				"log": c.replicas[0].Output(), "trace": traces.received.String(), "metric": metrics, "cache file": readFile(t, cache),
			} {
				for _, secret := range c.secrets(t) {
					if strings.Contains(content, secret) {
						t.Errorf("a %s shows a token or a secret", what)
					}
				}
			}
			if !strings.Contains(traces.received.String(), "RefreshToken") {
				t.Error("no trace of the reports arrived; nothing was searched")
			}
		})
	}
}

// provoke makes calls of every kind, and lets them fail in every way.
func provoke(t *testing.T, c *centers) {
	t.Helper()
	path := "/cgi-bin/stable_token"
	if strings.Contains(readFile(t, strings.TrimPrefix(c.env[0], "WX_ACCOUNTS_FILE=")), "classic") {
		path = "/cgi-bin/token"
	}
	client := c.replicas[0].client
	if _, err := client.ListAccounts(t.Context(), &tokenv1.ListAccountsRequest{}); err != nil {
		t.Fatal(err)
	}
	token, err := c.get(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	// A caller that mixes the fields up.
	if _, err := client.GetToken(t.Context(), &tokenv1.GetTokenRequest{AppId: token.GetValue()}); err == nil || strings.Contains(err.Error(), token.GetValue()) {
		t.Error("a token in the place of an AppID is accepted or repeated")
	}
	const wrongSecret = 40125
	for i, fault := range []simulator.Fault{{Busy: true}, {Drop: simulator.DropAfter}, {HTTPStatus: http.StatusBadGateway}, {ErrCode: wrongSecret}} {
		fault.Path, fault.Count = path, 1
		if err := c.platform.SetFault(fault); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the fault is met", func() error {
			token, err := c.get(t.Context(), 0)
			if err != nil {
				return err
			}
			_, err = client.RefreshToken(t.Context(), &tokenv1.RefreshTokenRequest{
				Rejected: &tokenv1.RefreshTokenRequest_RejectedValue{RejectedValue: token.GetValue()},
			})
			if met := len(slices.DeleteFunc(c.platform.Calls(), func(call simulator.Call) bool { return !call.Fault })); met <= i {
				return fmt.Errorf("%d faults were met: %w", met, err)
			}
			return nil
		})
	}
}

// collector takes traces as an OpenTelemetry collector does, and keeps their bytes.
type collector struct {
	addr     string
	received harness.Buffer
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{addr: harness.FreeAddr(t)}
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		_, _ = c.received.Write(message)
		return stream.SendMsg(&[]byte{}) // an empty message says that all is well.
	}))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		stopped := time.AfterFunc(time.Second, server.Stop)
		defer stopped.Stop()
		server.GracefulStop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

// rawCodec passes messages on as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte{}, data...)
	return nil
}
