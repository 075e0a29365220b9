package harness

import (
	"testing"
)

// Standalone is a running `go run ./standalone`, as a built binary.
type Standalone struct {
	*Process
	Platform *Platform

	GatewayURL   string
	APIProxyURL  string
	APIProxyGRPC string
	TokenCenter  string
	// TokenCenterURL is its face in HTTP with JSON.
	TokenCenterURL string
	SimulatorURL   string
	DebugURL       string
}

// StartStandalone runs everything in one process on free ports and waits until it is ready. Further
// flags come after the addresses and win over them.
func StartStandalone(t testing.TB, flags ...string) *Standalone {
	t.Helper()
	s := PrepareStandalone(t, flags...)
	s.WaitHTTP(t, s.DebugURL+"/readyz")
	return s
}

// PrepareStandalone is StartStandalone without waiting.
func PrepareStandalone(t testing.TB, flags ...string) *Standalone {
	t.Helper()
	gateway, apiProxy, tokens, simulator, debug := FreeAddr(t), FreeAddr(t), FreeAddr(t), FreeAddr(t), FreeAddr(t)
	s := &Standalone{
		APIProxyGRPC: FreeAddr(t), TokenCenter: FreeAddr(t),
		GatewayURL: "http://" + gateway, APIProxyURL: "http://" + apiProxy,
		TokenCenterURL: "http://" + tokens, SimulatorURL: "http://" + simulator, DebugURL: "http://" + debug,
	}
	args := append([]string{
		"--gateway-addr", gateway, "--logic-addr", FreeAddr(t), "--api-proxy-addr", apiProxy,
		"--api-proxy-grpc-addr", s.APIProxyGRPC, "--token-center-addr", s.TokenCenter, "--token-center-http-addr", tokens,
		"--simulator-addr", simulator, "--debug-addr", debug, "--log-level", "debug",
	}, flags...)
	s.Process = Start(t, Build(t, "./standalone"), nil, args...)
	s.Platform = NewPlatform(t, s.SimulatorURL)
	return s
}
