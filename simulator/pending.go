package simulator

import (
	"cmp"
	"maps"
	"slices"
)

// showPending lists a push as one whose deliveries go on, so that the page shows it against its time-out.
func (p *Platform) showPending(sent outgoing, result PushResult) {
	if sent.push.unlisted {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent.epoch != p.state.epoch {
		return
	}
	result.Deliveries = slices.Clone(result.Deliveries)
	p.state.pending[result.ID] = result
	p.state.hub.publish(topicPushes)
}

// forgetPending takes a push off the list of those that go on.
func (p *Platform) forgetPending(result PushResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.state.pending, result.ID)
	p.state.hub.publish(topicPushes)
}

// PendingPushes returns the pushes whose deliveries go on, newest first. Those of load runs are not among them.
func (p *Platform) PendingPushes() []PushResult {
	p.mu.Lock()
	defer p.mu.Unlock()

	return slices.SortedFunc(maps.Values(p.state.pending), func(a, b PushResult) int { return cmp.Compare(b.ID, a.ID) })
}

// recorded is the clear document as the record shows it: without the secrets of notices.
func (o outgoing) recorded() string { return maskAll(o.clear, o.document.secrets) }
