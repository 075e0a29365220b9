package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

const (
	metricsDoc    = "../docs/metrics.md"
	metricsHeader = `# Metrics

Every process serves its metrics at ` + "`:9090/metrics`" + `, beside those of the Go runtime (` + "`go_*`, `process_*`" + `). This page is generated:
` + "`make docs`" + ` rewrites it, and a test fails when it differs from the code.

| metric | labels | meaning |
| --- | --- | --- |
`
)

// The list of metrics is what the parts register, not what somebody remembered to write down.
func TestTheMetricsDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	tel := telemetry.Discard()
	const anyPort = "127.0.0.1:0"
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(routes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := furnish(t.Context(), settings{
		GatewayAddr: anyPort, LogicAddr: anyPort, APIProxyAddr: anyPort, APIProxyGRPCAddr: anyPort,
		TokenCenterAddr: anyPort, TokenCenterHTTPAddr: anyPort, SimulatorAddr: anyPort,
		AllowOnlyWeChat: true, Routes: routes, // they have metrics of their own.
	}, tel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(h.scratch) })
	want := metricsHeader + strings.Join(describe(tel.Metrics), "")
	if *update {
		if err := os.WriteFile(metricsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/metrics.md differs from the code; run `make docs`:\n%s", diff)
	}
}

var descPattern = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "(.*)", unit: "[^"]*", constLabels: \{.*\}, variableLabels: \{(.*)\}\}$`)

// describe returns a row for each metric of the registry, sorted by name. Descriptions have no other
// access than their text.
func describe(registry *prometheus.Registry) []string {
	descs := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descs)
		close(descs)
	}()
	var rows []string
	for desc := range descs {
		found := descPattern.FindStringSubmatch(desc.String())
		if found == nil {
			rows = append(rows, fmt.Sprintf("| ? | | unreadable: %s |\n", desc))
			continue
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", found[1], strings.ReplaceAll(found[3], ",", ", "), strings.ReplaceAll(found[2], "|", `\|`)))
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}
