package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/peer"

	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/access"
)

// at gives a context the address of a caller.
func at(ctx context.Context, host string, port int) context.Context {
	return peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.ParseIP(host), Port: port}})
}

// records returns the audit records of a log, without their time and with the parts that tell them apart.
func records(t *testing.T, log string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(log) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if r["audit"] == true {
			all = append(all, fmt.Sprintf("%v %v: %v@%v %v %v", r["level"], r["msg"], r["caller"], r["address"], r["app_id"], r["kind"]))
		}
	}
	return all
}

func TestTheTrailIsOneRecordForEachCallerAndGeneration(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	tel := telemetry.ForTest(&log)
	server := access.New(generous{}, access.NewTrail(tel))
	one, all := as(t, "one"), as(t, "all")
	for port := range 100 {
		for _, ctx := range []context.Context{at(one, "192.0.2.1", port), at(one, "192.0.2.2", port), at(all, "192.0.2.1", port)} {
			_, _ = server.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: "wx1"})
		}
		_, _ = server.GetToken(at(one, "192.0.2.1", port), &tokenv1.GetTokenRequest{AppId: "wx2"})
		_, _ = server.RefreshToken(at(all, "192.0.2.1", port), &tokenv1.RefreshTokenRequest{
			AppId: "wx1", Rejected: &tokenv1.RefreshTokenRequest_RejectedValue{RejectedValue: "secret"},
		})
	}
	_ = server.WatchToken(&tokenv1.WatchTokenRequest{}, &sent{ctx: at(one, "192.0.2.1", 1)}) // known already.
	want := []string{
		"INFO credential taken: one@192.0.2.1 wx1 access_token",
		"INFO credential taken: one@192.0.2.2 wx1 access_token",
		"INFO credential taken: all@192.0.2.1 wx1 access_token",
		"WARN credential denied: one@192.0.2.1 wx2 access_token",
		"INFO credential reported as rejected: all@192.0.2.1 wx1 access_token",
	}
	if diff := cmp.Diff(want, records(t, log.String())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("a token is in the trail:\n%s", log.String())
	}
	const metric = `
# HELP tokencenter_reads_total Credentials handed out by caller, as the callers file names it, otherwise unlisted.
# TYPE tokencenter_reads_total counter
tokencenter_reads_total{app_id="wx1",caller="all",kind="access_token"} 200
tokencenter_reads_total{app_id="wx1",caller="one",kind="access_token"} 201
`
	if err := testutil.GatherAndCompare(tel.Metrics, strings.NewReader(metric), "tokencenter_reads_total"); err != nil {
		t.Error(err)
	}
}
