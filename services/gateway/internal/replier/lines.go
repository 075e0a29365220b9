package replier

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

const (
	// lineCount is how many lines are open at once. The balancer chooses a replica of logic for each, so
	// more than one spreads the work and leaves another when one breaks; each more makes the messages on
	// all of them shorter.
	lineCount = 2
	// lineLife is how long a line takes questions. It ends well before the 30 s after which logic's server
	// ends connections, and makes sure that a new replica gets work soon.
	lineLife = 10 * time.Second
	// lineLimit is when a line is cut off that has not had all its answers by then. What was asked on it is
	// asked again then, so it is longer than late answers usually live.
	lineLimit = 15 * time.Minute
	// reopenPause is how soon a place is filled again after its line broke.
	reopenPause = time.Second
	// offerPause is how long a service that does not offer lines is not asked for one again: another
	// version of it may have taken its place.
	offerPause = 30 * time.Second
)

// lines keeps lines open as long as there are questions. While one is missing the caller asks in a call of
// its own, so that nobody ever waits for a line.
type lines struct {
	logic logicv1.LogicServiceClient
	work  sync.WaitGroup
	turn  atomic.Uint32
	seats [lineCount]seat

	// begin returns the context of a new line; stop ends them all.
	begin func() (context.Context, context.CancelFunc)
	stop  context.CancelFunc

	// mu guards who fills the seats.
	mu     sync.Mutex
	closed bool
}

// seat is the place of one line.
type seat struct {
	line atomic.Pointer[line]
	// opening says that somebody fills the seat; notBefore is when it may be filled again.
	opening   bool
	notBefore time.Time
}

func newLines(logic logicv1.LogicServiceClient) *lines {
	base, stop := context.WithCancel(context.Background())
	return &lines{
		logic: logic,
		begin: func() (context.Context, context.CancelFunc) { return context.WithCancel(base) },
		stop:  stop,
	}
}

// pick returns a line to ask on, nil if there is none now.
func (g *lines) pick() *line {
	turn := g.turn.Add(1)
	for i := range uint32(lineCount) {
		seat := &g.seats[(turn+i)%lineCount]
		if l := seat.line.Load(); l != nil {
			return l
		}
		g.fill(seat)
	}
	return nil
}

// fill has the seat filled by and by, unless that is under way or to no purpose.
func (g *lines) fill(seat *seat) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || seat.opening || seat.line.Load() != nil || time.Now().Before(seat.notBefore) {
		return
	}
	seat.opening = true
	g.work.Go(func() { g.serve(seat) })
}

// close breaks all lines and waits for their ends.
func (g *lines) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.stop()
	g.work.Wait()
}

// serve opens a line for the seat and serves it to its end.
func (g *lines) serve(seat *seat) {
	ctx, cancel := g.begin()
	defer cancel()
	call, err := g.logic.Converse(ctx)
	if err != nil {
		g.seated(seat, nil)
		g.ended(seat, err)
		return
	}
	limit := time.AfterFunc(lineLimit, cancel)
	defer limit.Stop()
	// The seat is free again once the line takes no more questions, which is earlier than its end.
	l := newLine(call, func(l *line) { seat.line.CompareAndSwap(l, nil) })
	g.seated(seat, l)
	err = l.serve()
	g.ended(seat, err)
	l.abandon(err)
}

// seated ends the filling of a seat with a line, or nil when that failed.
func (g *lines) seated(seat *seat, l *line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seat.opening = false
	seat.line.Store(l)
}

// ended notes how a line ended, nil for in order, so that a broken service isn't pestered.
func (g *lines) ended(seat *seat, err error) {
	if err == nil {
		return
	}
	pause := reopenPause
	if status.Code(err) == codes.Unimplemented {
		pause = offerPause
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	seat.notBefore = time.Now().Add(pause)
}
