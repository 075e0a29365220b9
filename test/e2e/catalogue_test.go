package e2e

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
)

// Everything that WeChat is known to push, in every mode and both formats, is answered by the first delivery: what the
// rules have no answer to, with success. No follower reads the error notice.
func TestEveryKindOfPushIsAnswered(t *testing.T) {
	t.Parallel()
	s := harness.StartStandalone(t)
	types := s.Platform.Types()
	if len(types) < 100 {
		t.Fatalf("only %d types", len(types))
	}
	for _, mode := range []simulator.Mode{simulator.ModePlain, simulator.ModeCompatible, simulator.ModeSafe} {
		for _, format := range []simulator.Format{simulator.FormatXML, simulator.FormatJSON} {
			t.Run(string(mode)+", "+string(format), func(t *testing.T) {
				for _, entry := range types {
					if entry.InfoType != "" {
						continue
					}
					fields := map[string]string{}
					for _, field := range entry.Fields {
						if !strings.Contains(field.Path, "MediaId") { // The platform has files of its own.
							fields[field.Path] = field.Sample
						}
					}
					got := s.Platform.Push(harness.Push{
						From: "oCATALOGUE" + string(mode) + string(format), Type: simulator.Type(entry.MsgType), Event: entry.Event, Fields: fields, Mode: mode, Format: format,
					})
					last := got.Deliveries[len(got.Deliveries)-1]
					if got.Outcome == simulator.OutcomeFailed || len(got.Deliveries) != 1 {
						t.Errorf("%s: %s after %d deliveries: %s", entry.Name, got.Outcome, len(got.Deliveries), last.Reason)
					}
				}
			})
		}
	}
}
