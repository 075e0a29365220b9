package credential_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

func born(life time.Duration, generation credential.Generation) credential.Credential {
	start := time.Unix(1_700_000_000, 0)
	return credential.Credential{
		Key:        credential.Key{AppID: "wx1", Kind: credential.AccessToken},
		Value:      config.NewSecret("s3cret"),
		Generation: generation, ObtainedAt: start, ExpiresAt: start.Add(life),
	}
}

func TestRenewalFallsIntoItsWindow(t *testing.T) {
	t.Parallel()
	early := credential.Window{Least: 300 * time.Second, Most: 600 * time.Second}
	late := credential.Window{Least: 180 * time.Second, Most: 280 * time.Second}
	tests := map[string]struct {
		window      credential.Window
		life        time.Duration
		least, most time.Duration
	}{
		"early":           {early, 7200 * time.Second, 300 * time.Second, 600 * time.Second},
		"late":            {late, 7200 * time.Second, 180 * time.Second, 280 * time.Second},
		"short, early":    {early, 60 * time.Second, 30 * time.Second, 30 * time.Second},
		"short, late":     {late, 10 * time.Second, 5 * time.Second, 5 * time.Second},
		"late, 500 s":     {late, 500 * time.Second, 180 * time.Second, 250 * time.Second},
		"life of nothing": {late, 0, 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := map[time.Duration]bool{}
			for generation := range credential.Generation(200) {
				c := born(tt.life, generation+1)
				at := credential.NextRenewal(c, tt.window)
				lead := c.ExpiresAt.Sub(at)
				if lead < tt.least || lead > tt.most {
					t.Fatalf("generation %d: lead %v, want %v to %v", generation, lead, tt.least, tt.most)
				}
				if again := credential.NextRenewal(c, tt.window); again != at {
					t.Fatalf("two replicas disagree: %v and %v", at, again)
				}
				seen[lead.Truncate(10*time.Second)] = true
			}
			if spread := int((tt.most - tt.least) / (10 * time.Second)); len(seen) < spread {
				t.Errorf("only %d different places in a window of %v", len(seen), tt.most-tt.least)
			}
		})
	}
}

func TestDueAndAlive(t *testing.T) {
	t.Parallel()
	c := born(7200*time.Second, 7)
	window := credential.Window{Least: 180 * time.Second, Most: 280 * time.Second}
	renewal := credential.NextRenewal(c, window)
	tests := map[string]struct {
		c          credential.Credential
		now        time.Time
		due, alive bool
		left       time.Duration
	}{
		"none":          {credential.Credential{}, c.ObtainedAt, true, false, 0},
		"fresh":         {c, c.ObtainedAt, false, true, 7200 * time.Second},
		"before":        {c, renewal.Add(-1), false, true, c.ExpiresAt.Sub(renewal) + 1},
		"at":            {c, renewal, true, true, c.ExpiresAt.Sub(renewal)},
		"expired":       {c, c.ExpiresAt, true, false, 0},
		"long expired":  {c, c.ExpiresAt.Add(time.Hour), true, false, 0},
		"dying classic": {c.Amended(c.ObtainedAt.Add(time.Minute)), c.ObtainedAt.Add(40 * time.Second), true, true, 20 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := credential.Due(tt.now, tt.c, window); got != tt.due {
				t.Errorf("due = %v", got)
			}
			if got := tt.c.Alive(tt.now); got != tt.alive {
				t.Errorf("alive = %v", got)
			}
			if got := tt.c.Left(tt.now); tt.c.Exists() && got != tt.left {
				t.Errorf("left = %v, want %v", got, tt.left)
			}
		})
	}
}

func TestRejectedNamesByGenerationOrValue(t *testing.T) {
	t.Parallel()
	c := born(time.Hour, 3)
	tests := map[string]struct {
		rejected credential.Rejected
		names    bool
	}{
		"generation":       {credential.Rejected{Generation: 3}, true},
		"older generation": {credential.Rejected{Generation: 2}, false},
		"value":            {credential.Rejected{Value: config.NewSecret("s3cret")}, true},
		"other value":      {credential.Rejected{Value: config.NewSecret("other")}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.rejected.Names(c); got != tt.names || tt.rejected.Empty() {
				t.Errorf("names = %v, empty = %v", got, tt.rejected.Empty())
			}
		})
	}
	if !(credential.Rejected{}).Empty() {
		t.Error("a report of nothing is not empty")
	}
}

func TestACredentialNeverPrintsItsValue(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, born(time.Hour, 1)); strings.Contains(text, "s3cret") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
