package harness

import (
	"slices"
	"testing"
)

// StartAPIProxy starts token-center and api-proxy, the way out to WeChat, and returns api-proxy's gRPC
// address. The environment is what they have in common.
func StartAPIProxy(t testing.TB, env ...string) (grpcAddr string) {
	t.Helper()
	out := Services{Processes: map[string]*Process{}}
	center, proxy := FreeAddr(t), FreeAddr(t)
	out.start(t, "token-center", slices.Clip(env), "TOKEN_CENTER_LISTEN_ADDR="+center)
	out.start(t, "api-proxy", slices.Clip(env), "API_PROXY_LISTEN_ADDR="+FreeAddr(t), "API_PROXY_GRPC_LISTEN_ADDR="+proxy, "TOKEN_CENTER_ADDR="+center)
	return proxy
}
