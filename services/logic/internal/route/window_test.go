package route_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	china := time.FixedZone("China", 8*60*60)
	at := func(text string) time.Time {
		moment, err := time.ParseInLocation("2006-01-02 15:04", text, china)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	span := func(from, until int) []route.Hours { return []route.Hours{{From: from * 60, Until: until * 60}} }
	weekend := []time.Weekday{time.Saturday, time.Sunday}
	tests := map[string]struct {
		window route.Window
		in     []string
		out    []string
	}{
		"always": {route.Window{}, []string{"2026-11-25 00:00"}, nil},
		"from and until": {
			route.Window{From: at("2026-12-24 18:00"), Until: at("2026-12-25 00:00")},
			[]string{"2026-12-24 18:00", "2026-12-24 23:59"}, []string{"2026-12-24 17:59", "2026-12-25 00:00"},
		},
		"days":        {route.Window{Days: weekend}, []string{"2026-11-28 00:00", "2026-11-29 23:59"}, []string{"2026-11-27 23:59", "2026-11-30 00:00"}},
		"hours":       {route.Window{Hours: span(9, 18)}, []string{"2026-11-25 09:00", "2026-11-25 17:59"}, []string{"2026-11-25 08:59", "2026-11-25 18:00"}},
		"to midnight": {route.Window{Hours: span(22, 24)}, []string{"2026-11-25 22:00", "2026-11-25 23:59"}, []string{"2026-11-25 00:00", "2026-11-25 21:59"}},
		"past midnight": {
			route.Window{Hours: span(22, 2), Days: []time.Weekday{time.Friday}}, // Friday is the 27th
			[]string{"2026-11-27 22:00", "2026-11-28 01:59"},
			[]string{"2026-11-27 01:00", "2026-11-28 02:00", "2026-11-28 22:00", "2026-11-26 23:00"},
		},
		"two spans": {
			route.Window{Hours: append(span(9, 12), span(14, 18)...), Days: weekend},
			[]string{"2026-11-28 11:00", "2026-11-28 14:00"}, []string{"2026-11-28 13:00", "2026-11-25 11:00"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.window.Zone = china
			for text, want := range sides(test.in, test.out) {
				// The moment counts, not the zone that it was written in.
				if got := test.window.Contains(at(text).UTC()); got != want {
					t.Errorf("%s: want %v, got %v", text, want, got)
				}
			}
		})
	}
}

func sides(in, out []string) map[string]bool {
	all := map[string]bool{}
	for _, text := range in {
		all[text] = true
	}
	for _, text := range out {
		all[text] = false
	}
	return all
}

// TestRollout: the share is met, who is in stays in, and rules of one seed agree.
func TestRollout(t *testing.T) {
	t.Parallel()
	const followers = 20_000
	before := map[string]bool{}
	for _, percent := range []float64{0, 0.5, 10, 50, 100} {
		r := route.Rollout{Percent: percent, Seed: "spring", Followers: []string{"oTEST"}}
		same := route.Rollout{Percent: percent, Seed: "spring"}
		if !r.Includes("oTEST") {
			t.Errorf("%v %%: the test user is out", percent)
		}
		in := 0
		for i := range followers {
			openID := "oABCDEFGHIJKLMNOPQR" + strconv.Itoa(i)
			switch included := r.Includes(openID); {
			case included:
				in++
				before[openID] = true
			case before[openID]:
				t.Fatalf("%v %%: %s was in and is out", percent, openID)
			}
			if r.Includes(openID) != same.Includes(openID) {
				t.Fatal("two rules of one seed disagree")
			}
		}
		// Three standard deviations of a fair draw are 1.1 % at the most.
		if got := 100 * float64(in) / followers; got < percent-1.1 || got > percent+1.1 || (percent == 0 && in > 0) {
			t.Errorf("%v %% are %v %%", percent, got)
		}
	}
}

// TestSeedsDiffer: half of those whom one seed chooses are chosen by another, no more and no fewer.
func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	both := 0
	const followers = 20_000
	for i := range followers {
		openID := fmt.Sprint("o", i)
		a, b := route.Rollout{Percent: 50, Seed: "a"}, route.Rollout{Percent: 50, Seed: "b"}
		if a.Includes(openID) && b.Includes(openID) {
			both++
		}
	}
	if got := 100 * float64(both) / followers; got < 23 || got > 27 {
		t.Errorf("two seeds share %v %% of the followers, want 25", got)
	}
}
