package simulator

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// backgroundLoad is a load that was started over the control API.
type backgroundLoad struct {
	id   int64
	run  *loadRun
	stop context.CancelFunc
	done chan struct{}
}

// LoadProgress is a load that was started in the background, as far as it is.
type LoadProgress struct {
	ID      int64       `json:"id"`      // 0 if there was none.
	Running bool        `json:"running"` // Whether it still goes on.
	Error   string      `json:"error,omitempty"`
	Summary LoadSummary `json:"summary"`
}

// StartLoad begins a load in the background, which LoadProgress shows and StopLoad ends; so does the platform's end, and
// Reset. There is one at a time.
func (p *Platform) StartLoad(load Load) (int64, error) {
	run, err := p.newLoadRun(load)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.load != nil && p.load.running() {
		return 0, fmt.Errorf("%w: load %d is still going on, stop it first", ErrInvalid, p.load.id)
	}
	select {
	case <-p.closing:
		return 0, ErrStopped
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
	started := &backgroundLoad{id: p.entries.Add(1), run: run, stop: cancel, done: make(chan struct{})}
	p.load = started
	p.background.Go(func() {
		defer close(started.done)
		defer cancel()
		_, _ = run.run(ctx) // The tally has both.
		p.announce(topicLoad)
	})
	p.background.Go(func() { p.showProgress(ctx, cancel) })

	return started.id, nil
}

// showProgress tells watchers to look again, until the load ends or the platform does.
func (p *Platform) showProgress(ctx context.Context, cancel context.CancelFunc) {
	const pace = 500 * time.Millisecond
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.announce(topicLoad)
		case <-p.closing:
			cancel()

			return
		case <-ctx.Done():
			return
		}
	}
}

// announce wakes the watchers.
func (p *Platform) announce(changed topic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.hub.publish(changed)
}

func (b *backgroundLoad) running() bool {
	select {
	case <-b.done:
		return false
	default:
		return true
	}
}

// StopLoad ends the load in the background and waits for its end.
func (p *Platform) StopLoad() {
	p.mu.Lock()
	current := p.load
	p.mu.Unlock()
	if current != nil {
		current.stop()
		<-current.done
	}
}

// LoadProgress returns the last load in the background.
func (p *Platform) LoadProgress() LoadProgress {
	p.mu.Lock()
	current := p.load
	p.mu.Unlock()
	if current == nil {
		return LoadProgress{Summary: newLoadTally().progress(time.Now())}
	}
	progress := LoadProgress{ID: current.id, Running: current.running(), Summary: current.run.tally.progress(time.Now())}
	if failure := current.run.tally.problem(); failure != nil {
		progress.Error = failure.Error()
	}

	return progress
}

func (t *loadTally) problem() error {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.failure
}

// loadRequest is the body of POST /sim/v1/load.
type loadRequest struct {
	pushRequest

	Mix        mixRequest  `json:"mix"`
	DurationMS int         `json:"duration_ms"`
	Rate       float64     `json:"rate"`
	Expect     Expectation `json:"expect"`
	Repeat     float64     `json:"repeat"`
	SettleMS   int         `json:"settle_ms"`
}

func (r loadRequest) load() (Load, error) {
	mix, err := r.Mix.mix(r.Content)

	return Load{
		Push: r.push(), Count: r.Count, Duration: time.Duration(r.DurationMS) * time.Millisecond, Concurrency: r.Concurrency, Rate: r.Rate,
		Followers: r.Followers, Interval: time.Duration(r.IntervalMS) * time.Millisecond, Expect: r.Expect, Repeat: r.Repeat,
		Settle: time.Duration(r.SettleMS) * time.Millisecond, Mix: mix,
	}, err
}

func (p *Platform) routeLoad(mux *http.ServeMux) {
	mux.Handle("POST /sim/v1/load", control(func(w http.ResponseWriter, r *http.Request) (any, error) {
		var asked loadRequest
		if err := readControl(w, r, &asked); err != nil {
			return nil, err
		}
		load, err := asked.load()
		if err != nil {
			return nil, err
		}
		id, err := p.StartLoad(load)

		return map[string]int64{"id": id}, err
	}))
	mux.Handle("GET /sim/v1/load", control(func(http.ResponseWriter, *http.Request) (any, error) { return p.LoadProgress(), nil }))
	mux.Handle("DELETE /sim/v1/load", control(func(http.ResponseWriter, *http.Request) (any, error) {
		p.StopLoad()

		return p.LoadProgress(), nil
	}))
}
