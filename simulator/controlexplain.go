package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"github.com/wxstack/wxstack/simulator/internal/explain"
)

// explainPush shows how the signatures and the encryption of one delivery came about. With reveal=true it shows the Token
// and the key as well.
func (p *Platform) explainPush(_ http.ResponseWriter, r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: id %q must be a number", ErrInvalid, r.PathValue("id"))
	}
	asked := cmp.Or(r.URL.Query().Get("attempt"), "1")
	attempt, err := strconv.Atoi(asked)
	if err != nil {
		return nil, fmt.Errorf("%w: attempt %q must be a number", ErrInvalid, asked)
	}
	push, ok := p.pushOf(id)
	if !ok || attempt < 1 || attempt > len(push.Deliveries) {
		return nil, fmt.Errorf("%w: push %d has no attempt %d, or is no longer remembered", ErrInvalid, id, attempt)
	}
	secrets, delivery := push.secrets, push.Deliveries[attempt-1]
	secrets.Reveal = r.URL.Query().Get("reveal") == "true"
	steps := explain.Request(secrets, delivery.RequestURL, delivery.RequestBody)

	return map[string]any{"steps": append(steps, explain.Reply(secrets, delivery.ResponseBody)...)}, nil
}

// pushOf returns the push of that id if it is remembered.
func (p *Platform) pushOf(id int64) (PushResult, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pending, ok := p.state.pending[id]; ok {
		return pending, true
	}
	for _, push := range p.state.pushes.values {
		if push.ID == id {
			return push, true
		}
	}

	return PushResult{}, false
}
