package cohort_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/chassis/cohort"
)

// TestWhoIsChosenStaysChosen over versions too: another answer here would choose others in the middle of a rollout.
func TestWhoIsChosenStaysChosen(t *testing.T) {
	t.Parallel()
	var chosen []string
	for i := range 20 {
		if name := strconv.Itoa(i); cohort.Includes(30, "spring", name) {
			chosen = append(chosen, name)
		}
	}
	if got, want := strings.Join(chosen, " "), "2 6 7 10 11 14"; got != want {
		t.Errorf("chosen are %q, want %q", got, want)
	}
}

func TestTheEndsOfTheScale(t *testing.T) {
	t.Parallel()
	for i := range 1000 {
		name := strconv.Itoa(i)
		if cohort.Includes(0, "spring", name) || !cohort.Includes(100, "spring", name) {
			t.Errorf("%s is in no per cent, or not in all", name)
		}
	}
}
