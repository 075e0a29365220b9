package refresh_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
)

// modelPlatform is WeChat as the model test knows it: both token interfaces with their rules (获取 Access
// token, 获取稳定版接口调用凭据), a clock of its own, and a record of why each token died.
type modelPlatform struct {
	spec kind.Spec
	life time.Duration

	mu        sync.Mutex
	offset    time.Duration // by which its clock is ahead of the world's.
	serial    int
	current   string
	former    string
	tokens    map[string]*issuedToken
	inUse     string          // the token that the store has.
	saved     map[string]bool // those that it ever had.
	lastForce time.Time
	perDay    map[string]int
}

// issuedToken is a token and its fate, in the platform's time.
type issuedToken struct {
	end time.Time
	// foreign says that it may have died through nobody's fault here: replaced by somebody else, or aged by
	// a jump of the platform's clock.
	foreign bool
	// forced says that it died at once because this side forced a new one.
	forced bool
}

// WeChat's numbers.
const (
	modelForceInterval = 30 * time.Second
	modelForcePerDay   = 20
	modelClassicPerDay = 2000
)

func newModelPlatform(spec kind.Spec, life time.Duration) *modelPlatform {
	return &modelPlatform{spec: spec, life: life, tokens: map[string]*issuedToken{}, saved: map[string]bool{}, perDay: map[string]int{}}
}

func (p *modelPlatform) now() time.Time { return time.Now().Add(p.offset) }

// answer carries a request out, at the moment at which it reaches WeChat.
func (p *modelPlatform) answer(force bool) (credential.Issued, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch {
	case p.spec.Overlap > 0:
		if !p.take("classic", now, modelClassicPerDay) {
			return credential.Issued{}, fault.New(fault.QuotaSpent, "45009")
		}
		p.replace(now, credential.Overlap, func(*issuedToken) {})
	case force && now.Sub(p.lastForce) >= modelForceInterval:
		if !p.take("force", now, modelForcePerDay) {
			return credential.Issued{}, fault.New(fault.QuotaSpent, "45009")
		}
		p.lastForce = now
		p.replace(now, 0, func(t *issuedToken) { t.forced = true })
	case p.left(now) <= credential.Overlap:
		p.replace(now, p.left(now), func(*issuedToken) {})
	}
	return credential.Issued{Value: config.NewSecret(p.current), Life: p.left(now)}, nil
}

// take uses one of a daily quota.
func (p *modelPlatform) take(name string, now time.Time, limit int) bool {
	name += now.In(time.FixedZone("CST", 8*60*60)).Format(time.DateOnly)
	p.perDay[name]++
	return p.perDay[name] <= limit
}

func (p *modelPlatform) left(now time.Time) time.Duration {
	if t := p.tokens[p.current]; t != nil {
		return max(0, t.end.Sub(now))
	}
	return 0
}

// replace issues a new token. The one before it lives for the overlap, and those before that are dead.
func (p *modelPlatform) replace(now time.Time, overlap time.Duration, mark func(*issuedToken)) {
	kill := func(value string, at time.Time) {
		if t := p.tokens[value]; t != nil && at.Before(t.end) {
			t.end = at
			mark(t)
		}
	}
	if t := p.tokens[p.former]; t != nil && (p.current != p.inUse || !p.saved[p.former]) {
		// The one between was lost, or lost to a newer generation, or the former is still on its way to who
		// asked for it, after several lost leases: no call can save it.
		t.foreign = true
	}
	kill(p.former, now)
	kill(p.current, now.Add(overlap))
	p.serial++
	p.former, p.current = p.current, fmt.Sprintf("token-%d", p.serial)
	p.tokens[p.current] = &issuedToken{end: now.Add(p.life)}
}

// rotate is a foreign refresh: somebody else holds the AppSecret.
func (p *modelPlatform) rotate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	overlap := time.Duration(0)
	if p.spec.Overlap > 0 {
		overlap = credential.Overlap
	}
	p.replace(p.now(), overlap, func(t *issuedToken) { t.foreign = true })
}

// jump moves the platform's clock forward: its tokens age.
func (p *modelPlatform) jump(by time.Duration) {
	p.excuse()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offset += by
}

// excuse lets every token of today die unnoticed.
func (p *modelPlatform) excuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tokens {
		t.foreign = true
	}
}

// stored notes the token that the store has.
func (p *modelPlatform) stored(value config.Secret) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse = value.Reveal()
	p.saved[p.inUse] = true
}

// fate tells whether an API call with c would succeed now, and otherwise how the token died.
func (p *modelPlatform) fate(c credential.Credential) (accepted bool, why issuedToken) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tokens[c.Value.Reveal()]
	if t == nil {
		return false, issuedToken{}
	}
	return p.now().Before(t.end), *t
}
