package routing

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/quick"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	table := &Table{
		Routes: []Target{
			{Name: "testers", Accounts: []string{"wxA"}, Followers: []string{"oTESTER"}},
			{Name: "others", Accounts: []string{"wxB", "wxC"}},
			{Name: "nobody", Accounts: []string{"wxA"}, Percent: new(float64(0))},
			{Name: "all", Accounts: []string{"wxD"}, Percent: new(float64(100))},
			{Name: "named too", Accounts: []string{"wxE"}, Percent: new(float64(0)), Followers: []string{"oTESTER"}},
		},
	}
	tests := []struct{ appID, openID, want string }{
		{"wxA", "oTESTER", "testers"},
		{"wxA", "oANYBODY", Main},
		{"wxA", "", Main},
		{"wxB", "oANYBODY", "others"},
		{"wxC", "oTESTER", "others"},
		{"wxB", "", "others"},
		{"wxD", "oANYBODY", "all"},
		{"wxD", "", Main}, // there is no follower who could be among those chosen.
		{"wxE", "oTESTER", "named too"},
		{"wxE", "oANYBODY", Main},
		{"wxF", "oTESTER", Main},
	}
	for _, tt := range tests {
		got := Main
		if route := table.Route(tt.appID, tt.openID); route != nil {
			got = route.Name
		}
		if got != tt.want {
			t.Errorf("%s of %s goes to %q, want %q", tt.openID, tt.appID, got, tt.want)
		}
	}
	if route := new(Table).Route("wxA", "oTESTER"); route != nil {
		t.Errorf("an empty table routes to %q", route.Name)
	}
}

func TestEveryShadowThatFitsGetsACopy(t *testing.T) {
	t.Parallel()
	table := &Table{Shadows: []Target{{Name: "a"}, {Name: "b", Accounts: []string{"wxA"}}, {Name: "c", Followers: []string{"oTESTER"}}}}
	for who, want := range map[[2]string][]string{
		{"wxA", "oANYBODY"}: {"a", "b"},
		{"wxA", "oTESTER"}:  {"a", "b", "c"},
		{"wxB", "oANYBODY"}: {"a"},
	} {
		var got []string
		for s := range table.ShadowsOf(who[0], who[1]) {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v is copied to %v, want %v", who, got, want)
		}
	}
	for range table.ShadowsOf("wxA", "oTESTER") {
		break // which must end it.
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	if (*Record)(nil).Covers("wxA") || !(&Record{}).Covers("wxA") || (&Record{Accounts: []string{"wxB"}}).Covers("wxA") {
		t.Error("the wrong accounts are recorded")
	}
}

// TestAGreaterShareKeepsWhoWasIn holds for any follower and any two percentages.
func TestAGreaterShareKeepsWhoWasIn(t *testing.T) {
	t.Parallel()
	keeps := func(openID string, a, b uint16) bool {
		less, more := float64(min(a, b))/math.MaxUint16*100, float64(max(a, b))/math.MaxUint16*100
		in := func(p float64) bool { return (&Target{Name: "next", Percent: &p}).fits("wxA", openID) }
		return (!in(less) || in(more))
	}
	if err := quick.Check(keeps, &quick.Config{MaxCount: 10_000}); err != nil {
		t.Error(err)
	}
}

func TestTheShareIsWhatThePercentageSays(t *testing.T) {
	t.Parallel()
	const followers = 50_000
	for _, p := range []float64{0.1, 1, 5, 33.3, 50, 99} {
		target := &Target{Name: "next", Percent: &p}
		in := 0
		for i := range followers {
			if target.fits("wxA", fmt.Sprintf("oABCDEFGHIJKLMNOPQRSTUV%05d", i)) {
				in++
			}
		}
		want, deviation := followers*p/100, math.Sqrt(followers*p/100*(1-p/100))
		if math.Abs(float64(in)-want) > 5*deviation {
			t.Errorf("%v %%: %d of %d, want %.0f", p, in, followers, want)
		}
	}
}

// TestRoutesChooseIndependently keeps two experiments from having the same followers.
func TestRoutesChooseIndependently(t *testing.T) {
	t.Parallel()
	const followers = 10_000
	a, b, both := &Target{Name: "a", Percent: new(float64(50))}, &Target{Name: "b", Percent: new(float64(50))}, 0
	for i := range followers {
		openID := fmt.Sprintf("o%d", i)
		if a.fits("wxA", openID) && b.fits("wxA", openID) {
			both++
		}
	}
	if both < followers/5 || both > followers*3/10 {
		t.Errorf("%d of %d are in both halves", both, followers)
	}
}

func TestRouteDoesNotAllocateForAnAccount(t *testing.T) { // testing.AllocsPerRun cannot run in parallel.
	table := &Table{Routes: []Target{{Name: "a", Accounts: []string{"wxA"}}, {Name: "b", Followers: []string{"oB"}}}}
	if n := testing.AllocsPerRun(100, func() { _ = table.Route("wxB", "oA") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
