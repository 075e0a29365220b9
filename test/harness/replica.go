package harness

import (
	"slices"
	"syscall"
	"testing"
)

// Replica is one process of a service that keeps its ports when it is stopped and started again.
type Replica struct {
	*Process

	// Addr is where the service listens, DebugURL the base of its debug listener. GRPCAddr is the other
	// listener of api-proxy.
	Addr     string
	GRPCAddr string
	DebugURL string

	bin   string
	env   []string
	lives []*Process
}

// StartGateways starts so many gateways and waits until all are ready. The environment is what they
// have in common.
func StartGateways(t testing.TB, count int, env ...string) []*Replica {
	t.Helper()
	bin := Build(t, "./services/gateway/cmd/gateway")
	return startReplicas(t, count, func() *Replica {
		addr := FreeAddr(t)
		return &Replica{Addr: addr, bin: bin, env: append(slices.Clip(env), "GATEWAY_LISTEN_ADDR="+addr)}
	})
}

// StartAPIProxies is StartGateways for api-proxy. The environment names token-center as well.
func StartAPIProxies(t testing.TB, count int, env ...string) []*Replica {
	t.Helper()
	bin := Build(t, "./services/api-proxy/cmd/api-proxy")
	return startReplicas(t, count, func() *Replica {
		addr, grpcAddr := FreeAddr(t), FreeAddr(t)
		own := []string{"API_PROXY_LISTEN_ADDR=" + addr, "API_PROXY_GRPC_LISTEN_ADDR=" + grpcAddr}
		return &Replica{Addr: addr, GRPCAddr: grpcAddr, bin: bin, env: slices.Concat(env, own)}
	})
}

func startReplicas(t testing.TB, count int, prepare func() *Replica) []*Replica {
	t.Helper()
	replicas := make([]*Replica, count)
	for i := range replicas {
		r, debug := prepare(), FreeAddr(t)
		r.DebugURL, r.env = "http://"+debug, append(r.env, "DEBUG_LISTEN_ADDR="+debug)
		r.Start(t)
		replicas[i] = r
	}
	for _, r := range replicas {
		r.WaitReady(t)
	}
	return replicas
}

// Start runs the process, again after Stop, and doesn't wait until it is ready.
func (r *Replica) Start(t testing.TB) {
	t.Helper()
	r.Process = Start(t, r.bin, r.env)
	r.lives = append(r.lives, r.Process)
}

// Outputs returns what the process has written, in each of its lives.
func (r *Replica) Outputs() []string {
	outputs := make([]string, len(r.lives))
	for i, life := range r.lives {
		outputs[i] = life.Output()
	}
	return outputs
}

// WaitReady waits until the process is ready.
func (r *Replica) WaitReady(t testing.TB) {
	t.Helper()
	r.WaitHTTP(t, r.DebugURL+"/readyz")
}

// Stop ends the process with a signal and waits for its end. A SIGTERM lets it finish what it does.
func (r *Replica) Stop(t testing.TB, sig syscall.Signal) {
	t.Helper()
	r.Signal(t, sig)
	err := r.Wait(t)
	if sig == syscall.SIGTERM && err != nil {
		t.Errorf("%s at %s ended with %v", r.name, r.Addr, err)
	}
}
