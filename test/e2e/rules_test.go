package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// ruleFile has ten thousand rules of frequent questions, and one that answers everything with the version.
func ruleFile(version int) string {
	var file strings.Builder
	file.WriteString("rules:\n")
	for i := range 10_000 {
		fmt.Fprintf(&file, "  - {name: q%d, match: {contains: [问题%d号, 编号%d]}, reply: {text: 第 %d 个答案}}\n", i, i, i, i)
	}
	fmt.Fprintf(&file, "  - {name: rest, match: {type: text}, reply: {text: 'v%d {{ .Content }}'}}\n", version)

	return file.String()
}

// TestTenThousandRulesReloadUnderLoad replaces a large rule file while followers write: each message is answered
// once, with its first delivery, by the old rules or by the new ones, and in the end by the newest.
func TestTenThousandRulesReloadUnderLoad(t *testing.T) {
	const (
		versions = 3
		rate     = 200 // messages a second
	)
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(version int) {
		if err := os.WriteFile(path+".new", []byte(ruleFile(version)), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Error(err)
		}
	}
	write(0)
	s := harness.StartServices(t, "WX_RULES_FILE="+path)

	newest := make(chan int, 1) // the newest version that a follower has read
	newest <- 0
	var senders sync.WaitGroup
	send := func(i int) {
		text := fmt.Sprint("message ", i)
		got, err := s.Platform.Push(t.Context(), simulator.Push{
			From: fmt.Sprintf("oRELOAD%021d", i%50), Content: text, ReuseConnections: true,
		})
		if err != nil || len(got.Shown) != 1 || len(got.Deliveries) != 1 {
			t.Errorf("message %d: shown %+v after %d deliveries, %v", i, got.Shown, len(got.Deliveries), err)
			return
		}
		var version int
		if n, err := fmt.Sscanf(got.Shown[0].Text, "v%d "+text, &version); n != 1 || err != nil {
			t.Errorf("message %d was answered with %q", i, got.Shown[0].Text)
			return
		}
		newest <- max(version, <-newest)
	}
	pace := time.NewTicker(time.Second / rate)
	defer pace.Stop()
	sent := 0
	for version := 1; version <= versions; version++ {
		write(version)
		for seen := 0; seen < version && !t.Failed(); {
			<-pace.C
			number := sent
			senders.Go(func() { send(number) })
			sent++
			seen = <-newest
			newest <- seen
		}
	}
	senders.Wait()
	t.Logf("%d messages while the rules changed %d times", sent, versions)
}
