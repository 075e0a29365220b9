// Package lifecycle runs the parts of a process together: one group, the first error stops all,
// and stopping is orderly.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"
)

// stopTimeout bounds the whole orderly stop. It is longer than the 14.5 s that one message may be
// worked on, so that a drain never cuts an answer short.
const stopTimeout = 20 * time.Second

// ErrStopped says that a part ended although nobody had asked it to.
var ErrStopped = errors.New("stopped unexpectedly")

// Part is something that runs until its context is done, finishes what it has begun, and returns.
type Part interface {
	Run(ctx context.Context) error
}

// Func makes a function a Part.
type Func func(ctx context.Context) error

// Run calls f.
func (f Func) Run(ctx context.Context) error { return f(ctx) }

// Group runs parts. Add them in the order of dependence: what others lean on first. All start at
// once; they stop one after the other in reverse order, so that a server drains while what it leans
// on still works.
type Group struct {
	log   *slog.Logger
	parts []*member
}

type member struct {
	name   string
	part   Part
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// NewGroup makes an empty group that tells log what starts and stops.
func NewGroup(log *slog.Logger) *Group { return &Group{log: log} }

// Add adds a part under a name that errors and logs show. It must not be called after Run.
func (g *Group) Add(name string, part Part) {
	g.parts = append(g.parts, &member{name: name, part: part, done: make(chan struct{})})
}

// Run starts every part and blocks until all have stopped. It stops them when ctx is done, which is
// the normal end and gives nil, or when the first part fails or ends by itself, which is returned.
func (g *Group) Run(ctx context.Context) error {
	base := context.WithoutCancel(ctx)
	ended := make(chan *member, len(g.parts))
	for _, m := range g.parts {
		g.start(base, m, ended)
	}
	var first error
	select {
	case <-ctx.Done():
	case m := <-ended:
		first = m.failure()
	}
	return errors.Join(first, g.stop())
}

func (g *Group) start(base context.Context, m *member, ended chan<- *member) {
	ctx, cancel := context.WithCancel(base)
	m.cancel = cancel
	go func() {
		defer func() {
			if p := recover(); p != nil {
				m.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			close(m.done)
			ended <- m
		}()
		m.err = m.part.Run(ctx)
	}()
}

func (m *member) failure() error {
	err := m.err
	if err == nil {
		err = ErrStopped
	}
	return fmt.Errorf("%s: %w", m.name, err)
}

func (g *Group) stop() error {
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	var errs []error
	for _, m := range slices.Backward(g.parts) {
		alreadyEnded := isClosed(m.done)
		m.cancel()
		select {
		case <-m.done:
		case <-timeout.C:
			g.cancelAll()
			return errors.Join(append(errs, fmt.Errorf("%s: still running %v after it was asked to stop", m.name, stopTimeout))...)
		}
		if m.err != nil && !alreadyEnded && !errors.Is(m.err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, m.err))
		}
		g.log.Debug("part stopped", "part", m.name)
	}
	return errors.Join(errs...)
}

func (g *Group) cancelAll() {
	for _, m := range g.parts {
		m.cancel()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
