package harness

import (
	"slices"
	"testing"
)

// StartTokenCenter starts one token-center and returns its address.
func StartTokenCenter(t testing.TB, env ...string) (addr string) {
	t.Helper()
	addr, debug := FreeAddr(t), FreeAddr(t)
	startService(t, "token-center", slices.Concat([]string{"DEBUG_LISTEN_ADDR=" + debug}, env, []string{"TOKEN_CENTER_LISTEN_ADDR=" + addr}), debug)
	return addr
}

// StartAPIProxy starts token-center and api-proxy, the way out to WeChat, and returns api-proxy's gRPC
// address. The environment is what they have in common.
func StartAPIProxy(t testing.TB, env ...string) (grpcAddr string) {
	t.Helper()
	center := StartTokenCenter(t, env...)
	return StartAPIProxies(t, 1, append(slices.Clip(env), "TOKEN_CENTER_ADDR="+center)...)[0].GRPCAddr
}
