package simulator

import "slices"

// topic names a part of the state that changed.
type topic string

const (
	topicChat   topic = "chat"
	topicPushes topic = "pushes"
	topicCalls  topic = "calls"
	topicState  topic = "state" // Menu, tokens, faults, clock, configuration.
	topicLoad   topic = "load"  // The load that goes on in the background.
)

// hub tells watchers what changed, not how: a watcher reads the newest state
// itself. A slow one therefore misses nothing but the steps between, and a load
// run costs it one wake-up, not one for each message.
type hub struct {
	watchers map[*watcher]struct{}
}

// watcher collects the topics that changed since it looked last.
type watcher struct {
	wake    chan struct{} // Holds one signal at most.
	pending map[topic]struct{}
}

func newHub() *hub { return &hub{watchers: make(map[*watcher]struct{})} }

func (h *hub) publish(topics ...topic) {
	for watcher := range h.watchers {
		for _, changed := range topics {
			watcher.pending[changed] = struct{}{}
		}
		select {
		case watcher.wake <- struct{}{}:
		default:
		}
	}
}

// watch registers a watcher until the returned function is called.
func (p *Platform) watch() (*watcher, func()) {
	created := &watcher{wake: make(chan struct{}, 1), pending: make(map[topic]struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.hub.watchers[created] = struct{}{}

	return created, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.state.hub.watchers, created)
	}
}

// changed returns the topics since the last call, in a stable order.
func (p *Platform) changed(w *watcher) []topic {
	p.mu.Lock()
	defer p.mu.Unlock()
	topics := make([]topic, 0, len(w.pending))
	for changed := range w.pending {
		topics = append(topics, changed)
	}
	clear(w.pending)
	slices.Sort(topics)

	return topics
}
