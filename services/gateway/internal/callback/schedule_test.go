package callback

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
)

func TestNext(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	later, soon, over, closed := now.Add(time.Second), now.Add(30*time.Millisecond), now, now.Add(-closing)
	type result struct {
		Course course
		Action action
		Pause  time.Duration
	}
	tests := map[string]struct {
		course course
		claim  dedupe.State
		ends   time.Time
		want   result
	}{
		"won":                       {course{}, dedupe.Won, later, result{course{computing: true}, compute, renewPause}},
		"won after waiting":         {course{polls: 9}, dedupe.Won, later, result{course{computing: true}, compute, renewPause}},
		"won, little is left":       {course{}, dedupe.Won, soon, result{course{computing: true}, compute, 30 * time.Millisecond}},
		"won too late":              {course{}, dedupe.Won, over, result{course{}, handOver, 0}},
		"pending":                   {course{}, dedupe.Pending, later, result{course{polls: 1}, wait, 50 * time.Millisecond}},
		"pending, second look":      {course{polls: 1}, dedupe.Pending, later, result{course{polls: 2}, wait, 100 * time.Millisecond}},
		"pending, third look":       {course{polls: 2}, dedupe.Pending, later, result{course{polls: 3}, wait, 200 * time.Millisecond}},
		"pending, much later":       {course{polls: 70}, dedupe.Pending, later, result{course{polls: 71}, wait, 200 * time.Millisecond}},
		"pending, budget is over":   {course{polls: 70}, dedupe.Pending, over, result{course{polls: 71}, wait, 200 * time.Millisecond}},
		"pending too late":          {course{polls: 70}, dedupe.Pending, closed, result{course{polls: 70}, handOver, 0}},
		"renewed":                   {course{computing: true}, dedupe.Won, later, result{course{computing: true}, wait, renewPause}},
		"renewed, little is left":   {course{computing: true}, dedupe.Won, soon, result{course{computing: true}, wait, 30 * time.Millisecond}},
		"lease lost while stalled":  {course{computing: true}, dedupe.Pending, later, result{course{computing: true}, wait, renewPause}},
		"another one was faster":    {course{computing: true}, dedupe.Answered, later, result{course{computing: true}, land, 0}},
		"answered":                  {course{}, dedupe.Answered, later, result{course{}, land, 0}},
		"answered, long ago":        {course{}, dedupe.Answered, closed, result{course{}, land, 0}},
		"computing, budget is over": {course{computing: true}, dedupe.Won, over, result{course{computing: true}, handOver, 0}},
		"lost, budget is over":      {course{computing: true}, dedupe.Pending, over, result{course{computing: true}, handOver, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, act, pause := tt.course.next(dedupe.Claim{State: tt.claim}, now, tt.ends)
			if diff := cmp.Diff(tt.want, result{state, act, pause}, cmp.AllowUnexported(course{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAgeOf(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 500_000_000)
	tests := map[string]struct {
		claim      dedupe.Claim
		created    int64
		bringsLate bool
		want       time.Duration
	}{
		"as all replicas know it":          {dedupe.Claim{Age: 7 * time.Second}, 1700000000 - 12, false, 7 * time.Second},
		"alone, first delivery":            {dedupe.Claim{Alone: true}, 1700000000, false, 500 * time.Millisecond},
		"alone, third delivery":            {dedupe.Claim{Alone: true}, 1700000000 - 10, false, 10500 * time.Millisecond},
		"alone, seen before WeChat's date": {dedupe.Claim{Alone: true, Age: 11 * time.Second}, 1700000000 - 10, false, 11 * time.Second},
		"alone, fourth delivery":           {dedupe.Claim{Alone: true}, 1700000000 - 16, false, 13500 * time.Millisecond},
		"alone, a date long ago":           {dedupe.Claim{Alone: true}, 1600000000, false, 0},
		"alone, a date to come":            {dedupe.Claim{Alone: true}, 1800000000, false, 0},
		"alone, no date":                   {dedupe.Claim{Alone: true}, 0, false, 0},

		"late answers: as all replicas know it":   {dedupe.Claim{Age: 7 * time.Second}, 1700000000 - 7, true, 7 * time.Second},
		"late answers: the date is a second off":  {dedupe.Claim{}, 1700000000, true, 0},
		"late answers: it waited at the edge":     {dedupe.Claim{}, 1700000000 - 3, true, 3500 * time.Millisecond},
		"late answers: waited, then delivered":    {dedupe.Claim{Age: 5 * time.Second}, 1700000000 - 8, true, 8500 * time.Millisecond},
		"late answers: waited for all deliveries": {dedupe.Claim{}, 1700000000 - 16, true, 13500 * time.Millisecond},
		"late answers: a date long ago":           {dedupe.Claim{}, 1600000000, true, 0},
		"late answers: a date to come":            {dedupe.Claim{}, 1800000000, true, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ageOf(tt.claim, tt.created, now, tt.bringsLate); got != tt.want {
				t.Errorf("age %v, want %v", got, tt.want)
			}
		})
	}
}

func TestBudgetEnd(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	for age, want := range map[time.Duration]time.Duration{
		0:                14500 * time.Millisecond,
		10 * time.Second: 4500 * time.Millisecond,
		time.Minute:      -45500 * time.Millisecond,
		-time.Hour:       14500 * time.Millisecond,
	} {
		if got := budgetEnd(now, age).Sub(now); got != want {
			t.Errorf("age %v: the budget ends in %v, want %v", age, got, want)
		}
	}
}
