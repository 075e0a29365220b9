package jsonapi_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/jsonapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A caller that proves who it is by its certificate does so over HTTP as well.
func TestTheCertificateOfACallerIsKnown(t *testing.T) {
	t.Parallel()
	var seen rpc.Caller
	server, err := rpc.NewServer(telemetry.Discard(), rpc.TLS{}, rpc.Admit(func(ctx context.Context) (context.Context, error) {
		seen = rpc.CallerOf(ctx)
		return ctx, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	tokenv1.RegisterTokenServiceServer(server, tokenv1.UnimplementedTokenServiceServer{})
	handler, err := jsonapi.NewHandler(server.Server)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(handler)
	web.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	web.StartTLS()
	t.Cleanup(web.Close)
	client := web.Client()
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = web.TLS.Certificates // it has one for example.com.
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Post(web.URL+"/wxstack.token.v1.TokenService/GetToken", "application/json; charset=utf-8", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"code":"not_found"`) {
		t.Errorf("HTTP %d %q, %v", resp.StatusCode, body, err)
	}
	if !slices.Contains(seen.Names, "example.com") || !strings.HasPrefix(seen.Address, "127.0.0.1:") {
		t.Errorf("the caller is seen as %q at %q", seen.Names, seen.Address)
	}
}
