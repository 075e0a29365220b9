package harness

import (
	"slices"
	"testing"
)

// StartTokenCenter starts one token-center and returns its address.
func StartTokenCenter(t testing.TB, env ...string) (addr string) {
	t.Helper()
	out := Services{Processes: map[string]*Process{}}
	addr = FreeAddr(t)
	out.start(t, "token-center", slices.Clip(env), "TOKEN_CENTER_LISTEN_ADDR="+addr)
	return addr
}

// StartAPIProxy starts token-center and api-proxy, the way out to WeChat, and returns api-proxy's gRPC
// address. The environment is what they have in common.
func StartAPIProxy(t testing.TB, env ...string) (grpcAddr string) {
	t.Helper()
	center := StartTokenCenter(t, env...)
	return StartAPIProxies(t, 1, append(slices.Clip(env), "TOKEN_CENTER_ADDR="+center)...)[0].GRPCAddr
}
