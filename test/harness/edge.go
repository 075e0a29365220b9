package harness

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Edge is a real HAProxy with the shipped configuration for development; only the addresses are the test's,
// and the services that it is not in front of are left out.
type Edge struct {
	*Process

	// URL is the base of the callback URLs, or of WeChat's API.
	URL string
	// GRPCAddr is where an edge of api-proxy takes gRPC.
	GRPCAddr string
	// StatusURL is the base of its own status.
	StatusURL string
}

// StartEdge starts an edge in front of gateways.
func StartEdge(t testing.TB, gateways []*Replica) *Edge {
	t.Helper()
	callbacks, status := FreeAddr(t), FreeAddr(t)
	return startEdge(t, &Edge{URL: "http://" + callbacks}, status, map[string]string{
		"frontend callbacks/bind":         "bind " + callbacks,
		"frontend status/bind":            "bind " + status,
		"backend gateway/server-template": edgeServers(t, gateways, httpAddr, ""),
	})
}

// StartAPIEdge starts an edge in front of replicas of api-proxy, over HTTP and gRPC.
func StartAPIEdge(t testing.TB, proxies []*Replica) *Edge {
	t.Helper()
	calls, rpcs, status := FreeAddr(t), FreeAddr(t), FreeAddr(t)
	return startEdge(t, &Edge{URL: "http://" + calls, GRPCAddr: rpcs}, status, map[string]string{
		"frontend api_http/bind": "bind " + calls,
		"frontend api_grpc/bind": "bind " + rpcs + " proto h2",
		"frontend status/bind":   "bind " + status,
		// The shipped edge is healthy when it has a gateway.
		"frontend status/monitor":                fmt.Sprintf("monitor fail if { nbsrv(api_proxy_http) lt %d } || { nbsrv(api_proxy_grpc) lt %[1]d }", len(proxies)),
		"backend api_proxy_http/server-template": edgeServers(t, proxies, httpAddr, ""),
		"backend api_proxy_grpc/server-template": edgeServers(t, proxies, grpcAddr, "proto h2 check-proto h1"),
	})
}

func httpAddr(r *Replica) string { return r.Addr }
func grpcAddr(r *Replica) string { return r.GRPCAddr }

// startEdge fills in the process of an edge.
func startEdge(t testing.TB, edge *Edge, status string, replace map[string]string) *Edge {
	t.Helper()
	Require(t, "haproxy", "apt-get install haproxy")
	shipped, err := os.ReadFile(filepath.Join(Root(t), "deploy/haproxy/haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(edgeConfig(t, string(shipped), replace)), 0o600); err != nil {
		t.Fatal(err)
	}
	edge.Process = Start(t, "haproxy", nil, "-db", "-f", path)
	edge.StatusURL = "http://" + status
	edge.WaitHTTP(t, edge.StatusURL+"/healthz")
	return edge
}

// edgeServers writes the lines of replicas. The options are those that the shipped server-template has beside
// the ones for finding replicas by DNS.
func edgeServers(t testing.TB, replicas []*Replica, addr func(*Replica) string, options string) string {
	t.Helper()
	lines := make([]string, 0, len(replicas))
	for i, r := range replicas {
		debug, err := url.Parse(r.DebugURL)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("server replica%d %s check port %s %s", i, addr(r), debug.Port(), options))
	}
	return strings.Join(lines, "\n  ")
}

// edgeConfig keeps of a configuration what is common to all, and the sections in which it replaces lines. These
// are named by section and keyword. A line that isn't there fails the test, because then the shipped file has
// changed and the test would judge something else.
func edgeConfig(t testing.TB, shipped string, replace map[string]string) string {
	t.Helper()
	keep := map[string]bool{"global": true, "defaults": true}
	for place := range replace {
		section, _, _ := strings.Cut(place, "/")
		keep[section] = true
	}
	var kept []string
	section, missing := "", len(replace)
	for line := range strings.SplitSeq(shipped, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if !strings.HasPrefix(line, " ") {
			section = line
		}
		if !keep[section] {
			continue
		}
		if with, ok := replace[section+"/"+words[0]]; ok {
			line, missing = "  "+with, missing-1
		}
		kept = append(kept, line)
	}
	if missing != 0 {
		t.Fatalf("haproxy.cfg: %d of the lines that a test replaces are missing: %v", missing, replace)
	}
	return strings.Join(kept, "\n") + "\n"
}
