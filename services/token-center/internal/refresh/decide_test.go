package refresh

import (
	"errors"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
)

func tokenAt(now time.Time, left time.Duration) credential.Credential {
	return credential.Credential{
		Key: credential.Key{AppID: "wx1", Kind: credential.AccessToken}, Value: config.NewSecret("v"),
		Generation: 5, ObtainedAt: now.Add(left - 2*time.Hour), ExpiresAt: now.Add(left),
	}
}

func TestNeedIsMet(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	alive, due, dead := tokenAt(now, time.Hour), tokenAt(now, time.Minute), tokenAt(now, -time.Second)
	tests := map[string]struct {
		need need
		c    credential.Credential
		want bool
	}{
		"missing, alive":           {need{cause: missing}, alive, true},
		"missing, due":             {need{cause: missing}, due, true},
		"missing, dead":            {need{cause: missing}, dead, false},
		"missing, none":            {need{cause: missing}, credential.Credential{}, false},
		"active, alive":            {need{cause: active}, alive, true},
		"active, due":              {need{cause: active}, due, false},
		"passive, this one":        {need{passive, credential.Rejected{Generation: 5}}, alive, false},
		"passive, an older one":    {need{passive, credential.Rejected{Generation: 4}}, alive, true},
		"passive, older, but dead": {need{passive, credential.Rejected{Generation: 4}}, dead, false},
		"passive, this value":      {need{passive, credential.Rejected{Value: config.NewSecret("v")}}, alive, false},
		"passive, another value":   {need{passive, credential.Rejected{Value: config.NewSecret("w")}}, alive, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.need.metBy(tt.c, now, kind.Stable().Window); got != tt.want {
				t.Errorf("met = %v", got)
			}
		})
	}
}

func TestPausesGrowToTheirLimitAndAreLongWhereOnlyAPersonCanHelp(t *testing.T) {
	t.Parallel()
	busy, wrong := fault.New(fault.Unavailable, "busy"), fault.New(fault.Precondition, "secret")
	tests := map[string]struct {
		failures int
		err      error
		jitter   float64
		want     time.Duration
	}{
		"first":              {1, busy, 0, time.Second},
		"third":              {3, busy, 0, 4 * time.Second},
		"at its limit":       {100, busy, 0, 30 * time.Second},
		"with jitter":        {3, busy, 0.5, 3500 * time.Millisecond},
		"incurable":          {1, wrong, 0, time.Minute},
		"incurable third":    {3, wrong, 0, 4 * time.Minute},
		"incurable limit":    {100, wrong, 0, 15 * time.Minute},
		"quota":              {1, fault.New(fault.QuotaSpent, "q"), 0, time.Minute},
		"told to wait":       {1, busy.WithRetryAfter(time.Minute), 0, time.Minute},
		"not a fault":        {1, errors.New("x"), 0, time.Second},
		"wrapped as refusal": {1, refusal{wrong}, 0, time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := pauseAfter(tt.failures, tt.err, tt.jitter); got != tt.want {
				t.Errorf("pause = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWaitingForAnotherReplicaGrowsLinearly(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for attempt, want := range map[int]time.Duration{0: 50 * ms, 3: 200 * ms, 1000: 500 * ms} {
		least, most := waitForOther(attempt, 0), waitForOther(attempt, 0.999999)
		if least != want/2 || most < want-time.Millisecond || most > want {
			t.Errorf("attempt %d: %v to %v, want %v to %v", attempt, least, most, want/2, want)
		}
	}
}

func TestEmergency(t *testing.T) {
	t.Parallel()
	now, problem := time.Unix(1_700_000_000, 0), errors.New("refused")
	tests := map[string]struct {
		c       credential.Credential
		problem error
		want    bool
	}{
		"all well":                   {tokenAt(now, time.Hour), nil, false},
		"starting":                   {credential.Credential{}, nil, false},
		"failing early":              {tokenAt(now, time.Hour), problem, false},
		"failing near expiry":        {tokenAt(now, time.Minute), problem, true},
		"near expiry, not failing":   {tokenAt(now, time.Minute), nil, false},
		"expired, nobody knows why":  {tokenAt(now, -time.Minute), nil, true},
		"never had one, and failing": {credential.Credential{}, problem, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := emergency(tt.c, tt.problem, now, true); (got != nil) != tt.want {
				t.Errorf("emergency = %v", got)
			}
			if got := emergency(tt.c, tt.problem, now, false); got != nil {
				t.Errorf("emergency over what nobody wants: %v", got)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	other := tokenAt(now, 2*time.Hour)
	other.Value, other.ObtainedAt = config.NewSecret("w"), now
	same := tokenAt(now, time.Hour)
	same.ObtainedAt = now
	tests := map[string]struct {
		rejected, replacement credential.Credential
		forced, want          bool
	}{
		"died an hour early":          {tokenAt(now, time.Hour), other, false, true},
		"died near its end":           {tokenAt(now, 5*time.Minute), other, false, false},
		"had expired":                 {tokenAt(now, -time.Minute), other, false, false},
		"WeChat returns it again":     {tokenAt(now, time.Hour), same, false, false},
		"we forced it ourselves":      {tokenAt(now, time.Hour), other, true, false},
		"there was none to be voided": {credential.Credential{}, other, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := foreign(tt.rejected, tt.replacement, tt.forced); got != tt.want {
				t.Errorf("foreign = %v", got)
			}
		})
	}
}

func TestTheReasonOfARenewalIsTold(t *testing.T) {
	t.Parallel()
	now := time.Now()
	alive := credential.Credential{Generation: 5, ExpiresAt: now.Add(time.Minute)}
	dead := credential.Credential{Generation: 5, ExpiresAt: now.Add(-time.Second)}
	tests := map[string]struct {
		need   need
		before credential.Credential
	}{
		"it was due for renewal":           {need{cause: active}, alive},
		"it had expired":                   {need{cause: missing}, dead},
		"there was none":                   {need{cause: missing}, credential.Credential{}},
		"rejected by WeChat":               {need{passive, credential.Rejected{Generation: 5}}, alive},
		"rejected by WeChat, says the-job": {need{passive, credential.Rejected{Generation: 5, By: "the-job"}}, alive},
	}
	for want, tt := range tests {
		if got := tt.need.reason(tt.before, now); got != want {
			t.Errorf("reason = %q, want %q", got, want)
		}
	}
}
