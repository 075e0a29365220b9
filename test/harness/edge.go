package harness

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Edge is a real HAProxy in front of gateways.
type Edge struct {
	*Process

	// URL is the base of the callback URLs.
	URL string
}

// StartEdge starts an edge in front of the gateways. Its configuration is the shipped one for
// development, less the other services; only the addresses are the test's.
func StartEdge(t testing.TB, gateways []*Replica) *Edge {
	t.Helper()
	Require(t, "haproxy", "apt-get install haproxy")
	shipped, err := os.ReadFile(filepath.Join(Root(t), "deploy/haproxy/haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	callbacks, status := FreeAddr(t), FreeAddr(t)
	config := edgeConfig(t, string(shipped), map[string]string{
		"frontend callbacks/bind":         "bind " + callbacks,
		"frontend status/bind":            "bind " + status,
		"backend gateway/server-template": edgeServers(t, gateways),
	})
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	edge := &Edge{Process: Start(t, "haproxy", nil, "-db", "-f", path), URL: "http://" + callbacks}
	edge.WaitHTTP(t, "http://"+status+"/healthz")
	return edge
}

func edgeServers(t testing.TB, gateways []*Replica) string {
	t.Helper()
	lines := make([]string, 0, len(gateways))
	for i, g := range gateways {
		debug, err := url.Parse(g.DebugURL)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("server gateway%d %s check port %s", i, g.Addr, debug.Port()))
	}
	return strings.Join(lines, "\n  ")
}

// edgeConfig keeps of a configuration the sections about callbacks and replaces the lines that are named
// by section and keyword. A line that isn't there fails the test, because then the shipped file has
// changed and the test would judge something else.
func edgeConfig(t testing.TB, shipped string, replace map[string]string) string {
	t.Helper()
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
		switch section {
		case "global", "defaults", "frontend callbacks", "frontend status", "backend gateway":
		default:
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
