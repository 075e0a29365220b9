// Package dispatch asks the logic service that the routes file chooses, and keeps the connections to all that
// the file names. It follows the file while the process runs.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/services/gateway/internal/routing"
	"github.com/wxstack/wxstack/services/gateway/internal/shadow"
	"github.com/wxstack/wxstack/wechat/message"
)

// Dial makes a connection to a logic service, without connecting yet.
type Dial func(addr string, repeat rpc.Repeat) (*grpc.ClientConn, error)

// Router is a late.Replier that asks, of each message, the logic service of its route.
type Router struct {
	main   late.Replier
	live   *config.Live[*routing.Table]
	path   string
	dial   Dial
	log    *slog.Logger
	tel    *telemetry.Telemetry
	health *telemetry.Component

	// plan is in force. It is replaced before services that it lacks are retired.
	plan atomic.Pointer[plan]
	// opened are new services that nobody serves yet.
	opened []*service

	reloads   *prometheus.CounterVec
	questions *prometheus.CounterVec
}

// plan is a table with the services that it names.
type plan struct {
	table    *routing.Table
	services map[place]*service
}

// place is where a service is. A shadow has a connection of its own even where it is a route's service as well:
// copies must not slow down what followers wait for, and are not to be repeated.
type place struct {
	addr   string
	shadow bool
}

// component is the name of the service in the health.
func (p place) component() string {
	if p.shadow {
		return "shadow " + p.addr
	}
	return "logic " + p.addr
}

// Open reads the routes file and returns a Router that asks main, the logic service of LOGIC_ADDR, where no
// route fits. It connects when Run runs.
func Open(path string, main late.Replier, dial Dial, tel *telemetry.Telemetry) (*Router, error) {
	live, err := config.NewLive(routing.Loader(path))
	if err != nil {
		return nil, err
	}
	r := &Router{
		main: main, live: live, path: path, dial: dial, log: tel.Log, tel: tel,
		health: tel.Health.Component("routes"),
		reloads: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_route_reloads_total",
			Help: "Changes of the routes file: loaded, or refused while the old routes stay in force.",
		}, []string{"outcome"})),
		questions: telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_routed_questions_total",
			Help: "Questions to logic by the route that they took, main where none fits; a question that is asked again counts again. Counted with a routes file only.",
		}, []string{"route"})),
	}
	r.plan.Store(&plan{table: &routing.Table{}})
	if _, err := r.adopt(live.Current()); err != nil {
		return nil, err
	}
	return r, nil
}

// Table returns the routes in force.
func (r *Router) Table() *routing.Table { return r.plan.Load().table }

// Reply implements late.Replier. A question waits for the service of its route as it would for the main one. If
// the route goes elsewhere meanwhile, so does the question, unless the old service can still answer it.
func (r *Router) Reply(
	ctx context.Context, appID string, in message.Message, deliveryEnds, budgetEnds time.Time,
) (message.Reply, string, error) {
	for {
		route, s := r.choose(appID, in.FromUserName)
		if s == nil {
			return r.main.Reply(ctx, appID, in, deliveryEnds, budgetEnds)
		}
		reply, rule, err := s.reply(ctx, appID, in, deliveryEnds, budgetEnds)
		if err == nil || ctx.Err() != nil || s.hopeless.Err() == nil {
			return reply, rule, byRoute(route, err)
		}
	}
}

// reply asks until ctx is done or there is no hope.
func (s *service) reply(
	ctx context.Context, appID string, in message.Message, deliveryEnds, budgetEnds time.Time,
) (message.Reply, string, error) {
	defer s.release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.hopeless, cancel)()
	return s.client.Reply(ctx, appID, in, deliveryEnds, budgetEnds)
}

// Begin implements late.Replier.
func (r *Router) Begin(
	appID string, in message.Message, deliveryEnds, budgetEnds, until time.Time,
	done func(reply message.Reply, rule string, again bool, err error),
) (cancel func()) {
	route, s := r.choose(appID, in.FromUserName)
	if s == nil {
		return r.main.Begin(appID, in, deliveryEnds, budgetEnds, until, done)
	}
	release := sync.OnceFunc(s.release)
	cancelAsking := s.client.Begin(appID, in, deliveryEnds, budgetEnds, until,
		func(reply message.Reply, rule string, again bool, err error) {
			release()
			done(reply, rule, again, byRoute(route, err))
		})
	if cancelAsking == nil {
		release()
		return nil
	}
	return func() {
		cancelAsking()
		release()
	}
}

// choose returns the route of a message and its service, which the caller has to release; or none, for main.
func (r *Router) choose(appID, openID string) (*routing.Target, *service) {
	for {
		now := r.plan.Load()
		route := now.table.Route(appID, openID)
		if route == nil {
			r.questions.WithLabelValues(routing.Main).Inc()
			return nil, nil
		}
		// A service that is retired is not in the plan that is in force by then.
		if s := now.services[place{addr: route.LogicAddr}]; s.hold() {
			r.questions.WithLabelValues(route.Name).Inc()
			return route, s
		}
	}
}

// byRoute says in an error which route it concerns.
func byRoute(route *routing.Target, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("route %s: %w", route.Name, err)
}

// Shadows returns who gets a copy of a message. Release each.
func (r *Router) Shadows(appID, openID string) []shadow.Target {
	var all []shadow.Target
	now := r.plan.Load()
	for target := range now.table.ShadowsOf(appID, openID) {
		// One that is retired this moment gets nothing.
		if s := now.services[place{addr: target.LogicAddr, shadow: true}]; s.hold() {
			all = append(all, shadow.Target{Name: target.Name, Service: s.client, Release: s.release})
		}
	}
	return all
}

// Run follows the file and watches the services until ctx is done. Then it closes the connections, so that no
// question may be under way any more.
func (r *Router) Run(ctx context.Context) error {
	var (
		work sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	serve := func() {
		for _, s := range r.opened {
			work.Go(func() {
				if err := s.serve(ctx); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, err)
				}
			})
		}
		r.opened = nil
	}
	serve()
	err := r.live.Run(ctx, r.log, func(t *routing.Table, err error) {
		r.changed(t, err)
		serve()
	})
	work.Wait()
	return errors.Join(append(errs, err)...)
}

// changed is told the routes that the file has now, or why the old ones stay.
func (r *Router) changed(t *routing.Table, err error) {
	var gone []*service
	if err == nil {
		gone, err = r.adopt(t)
	}
	if err != nil {
		err = fmt.Errorf("the old routes stay in force: %w", err)
		r.log.Warn("routes refused", "error", err)
		r.reloads.WithLabelValues("refused").Inc()
		r.health.Report(err)
		return
	}
	for _, s := range gone {
		s.retire()
	}
	r.reloads.WithLabelValues("loaded").Inc()
	r.health.Report(nil)
	r.log.Info("new routes in force", "file", r.path, "routes", names(t.Routes), "shadows", names(t.Shadows), "recording", t.Record != nil)
}

// adopt puts a table in force, with connections to the services that are new, and returns those that it names no
// more. After an error everything is as before.
func (r *Router) adopt(t *routing.Table) (gone []*service, err error) {
	old, next := r.plan.Load(), &plan{table: t, services: map[place]*service{}}
	var opened []*service
	for _, p := range places(t) {
		if next.services[p] != nil {
			continue
		}
		if next.services[p] = old.services[p]; next.services[p] != nil {
			continue
		}
		conn, err := r.dial(p.addr, rpc.Repeat(!p.shadow))
		if err != nil {
			for _, s := range opened {
				s.discard()
			}
			return nil, fmt.Errorf("WX_ROUTES_FILE: %w", err)
		}
		next.services[p] = newService(conn, r.tel.Health.Component(p.component()))
		opened = append(opened, next.services[p])
	}
	r.opened = append(r.opened, opened...)
	r.plan.Store(next)
	for p, s := range old.services {
		if next.services[p] == nil {
			gone = append(gone, s)
		}
	}
	return gone, nil
}

// places returns where the services of a table are.
func places(t *routing.Table) []place {
	all := make([]place, 0, len(t.Routes)+len(t.Shadows))
	for _, route := range t.Routes {
		all = append(all, place{addr: route.LogicAddr})
	}
	for _, shadow := range t.Shadows {
		all = append(all, place{addr: shadow.LogicAddr, shadow: true})
	}
	return all
}

func names(targets []routing.Target) []string {
	all := make([]string, 0, len(targets))
	for _, t := range targets {
		all = append(all, t.Name)
	}
	return all
}

// Discard closes the connections of a Router that never runs.
func (r *Router) Discard() {
	for _, s := range r.opened {
		s.discard()
	}
	r.opened = nil
}
