package dispatch

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/replier"
)

// service is a logic service that the routes file names, and retired once it names it no more. The questions
// that are with it are counted, so that its connection is not closed over one.
type service struct {
	conn      *grpc.ClientConn
	client    *replier.Client
	component *telemetry.Component
	// hopeless is done when the service is retired and cannot be reached either: then its questions are better
	// asked elsewhere.
	hopeless context.Context //nolint:containedctx // a signal, for as long as the service lives.
	giveUp   context.CancelFunc

	mu      sync.Mutex
	users   int
	retired bool
	down    bool
	// idle is closed when the service is retired and has no users.
	idle chan struct{}
}

func newService(conn *grpc.ClientConn, component *telemetry.Component) *service {
	s := &service{conn: conn, client: replier.New(conn), component: component, idle: make(chan struct{})}
	s.hopeless, s.giveUp = context.WithCancel(context.Background())
	return s
}

// hold keeps the connection open until release. It returns false if the service is retired.
func (s *service) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return false
	}
	s.users++
	return true
}

func (s *service) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.retired && s.users == 0 {
		close(s.idle)
	}
}

// retire lets nobody hold the service any more.
func (s *service) retire() {
	s.component.Remove() // at once, since the name may soon be that of a new service.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	if s.users == 0 {
		close(s.idle)
	}
	if s.down {
		s.giveUp()
	}
}

// serve watches the service until ctx is done, or it is retired and idle. Then it closes the connection.
func (s *service) serve(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var watch sync.WaitGroup
	watch.Go(func() { _ = s.client.Watch(watching, s.report) }) // it ends with its context, never with an error.
	select {
	case <-ctx.Done():
	case <-s.idle:
	}
	stop()
	watch.Wait()
	s.client.Close()
	return s.conn.Close()
}

// report notes whether the service can be reached.
func (s *service) report(err error) {
	s.mu.Lock()
	s.down = err != nil
	if s.retired && s.down {
		s.giveUp()
	}
	s.mu.Unlock()
	s.component.Report(err)
}

// discard closes a connection that nothing has used.
func (s *service) discard() {
	s.component.Remove()
	s.client.Close()
	_ = s.conn.Close()
}
