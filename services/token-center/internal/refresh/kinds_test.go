package refresh_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
)

var ticketKey = credential.Key{AppID: "wx1", Kind: credential.JSAPITicket}

// office issues tickets to who brings an access token that WeChat accepts, and repeats one while it lives.
type office struct {
	wechat *wechat

	mu      sync.Mutex
	asked   int
	refused int
	ticket  string
	ends    time.Time
}

func (o *office) Issue(_ context.Context, req credential.Request) (credential.Issued, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	now := time.Now()
	if !o.wechat.accepts(credential.Credential{Value: req.Parent}) {
		o.refused++
		return credential.Issued{}, fault.Wrap(fault.Unavailable, credential.ErrParentRejected, "errcode 40001")
	}
	if o.ends.Sub(now) < 5*time.Minute {
		o.ticket, o.ends = "ticket of "+now.Format(time.TimeOnly), now.Add(life)
	}
	return credential.Issued{Value: config.NewSecret(o.ticket), Life: o.ends.Sub(now)}, nil
}

func (o *office) counts() (asked, refused int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked, o.refused
}

// startTicket runs a keeper of the account's ticket beside r, the keeper of its access token.
func (w *world) startTicket(t *testing.T, r *replica, o *office) *refresh.Refresher {
	t.Helper()
	tickets := refresh.New(refresh.Config{
		Key: ticketKey, Spec: kind.JSAPITicket(), Issuer: o, Parent: r.Refresher, Store: w.store, Lease: w.leases, Ledger: w.ledger,
		Metrics: refresh.NewMetrics(telemetry.Discard().Metrics), Health: r.tel.Health.Component("ticket"), Log: r.tel.Log,
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = tickets.Run(ctx) })
	wg.Go(func() {
		_ = w.store.Watch(ctx, []credential.Key{ticketKey}, func(credential.Key) { tickets.Notify() })
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return tickets
}

func TestATicketIsFetchedOnDemandOnly(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r, o := w.start(t), &office{wechat: w.wechat}
		tickets := w.startTicket(t, r, o)
		time.Sleep(24 * time.Hour)
		if asked, _ := o.counts(); asked != 0 {
			t.Fatalf("%d tickets fetched for nobody", asked)
		}
		// A page that is viewed every ten minutes for a day always gets a ticket that is alive.
		for range 24 * 6 {
			c, err := tickets.Get(t.Context())
			if err != nil || !c.Alive(time.Now()) {
				t.Fatalf("got %v, %v", c, err)
			}
			time.Sleep(10 * time.Minute)
		}
		busy, _ := o.counts()
		if busy < 12 || busy > 26 {
			t.Errorf("%d fetches in a busy day", busy)
		}
		time.Sleep(24 * time.Hour)
		if quiet, _ := o.counts(); quiet > busy+2 {
			t.Errorf("%d more fetches in a day without a caller", quiet-busy)
		}
		if report, _ := r.tel.Health.Report(); len(report.Down()) != 0 {
			t.Errorf("a ticket that nobody wants is called a trouble: %v", report.Down())
		}
	})
}

func TestARenewalOfATicketIsAheadOfItsEnd(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r, o := w.start(t), &office{wechat: w.wechat}
		tickets := w.startTicket(t, r, o)
		first, err := tickets.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(life - time.Minute)
		if c := tickets.Current(); c.Generation <= first.Generation || c.Left(time.Now()) < time.Hour {
			t.Errorf("a minute before the end the ticket has %v left", c.Left(time.Now()))
		}
		// A watcher keeps fresh what is there.
		defer tickets.Watch(make(chan struct{}, 1))()
		for range 12 {
			time.Sleep(life / 2)
			if !tickets.Current().Alive(time.Now()) {
				t.Fatal("the ticket of a watcher ended")
			}
		}
	})
}

func TestARejectedParentIsRenewedOnceAndTheRequestRepeated(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		replicas := []*replica{w.start(t), w.start(t)}
		o := &office{wechat: w.wechat}
		tickets := []*refresh.Refresher{w.startTicket(t, replicas[0], o), w.startTicket(t, replicas[1], o)}
		mustGet(t, replicas[0])
		mustGet(t, replicas[1])
		w.wechat.rotate()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if c, err := tickets[i%2].Get(t.Context()); err != nil || !c.Alive(time.Now()) {
					t.Errorf("caller %d got %v, %v", i, c, err)
				}
			})
		}
		wg.Wait()
		if asked, refused := o.counts(); asked != 2 || refused != 1 {
			t.Errorf("%d requests, %d refused; want 2 and 1", asked, refused)
		}
		if fetches, forced := w.wechat.counts(); fetches != 2 || forced != 0 {
			t.Errorf("%d fetches of the parent, %d forced; want 2 and 0", fetches, forced)
		}
	})
}

func TestWithoutAParentNoTicketAndTheReasonIsTheParents(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		w.wechat.fail(1<<30, fault.New(fault.Precondition, "errcode 40125; reset the AppSecret"))
		r, o := w.start(t), &office{wechat: w.wechat}
		tickets := w.startTicket(t, r, o)
		if _, err := tickets.Get(t.Context()); fault.KindOf(err) != fault.Precondition || !strings.Contains(err.Error(), "AppSecret") {
			t.Errorf("error = %v", err)
		}
		if asked, _ := o.counts(); asked != 0 {
			t.Errorf("%d requests without a token", asked)
		}
		// As soon as there is a parent, there is a ticket: the parent's troubles are not held against it.
		w.wechat.fail(0, nil)
		time.Sleep(time.Minute)
		if c, err := tickets.Get(t.Context()); err != nil || !c.Alive(time.Now()) {
			t.Errorf("got %v, %v", c, err)
		}
	})
}

func TestAReportedTicketThatWeChatRepeatsIsNotAskedForAgainAndAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, kind.Stable(), func(t *testing.T, w *world) {
		r, o := w.start(t), &office{wechat: w.wechat}
		tickets := w.startTicket(t, r, o)
		c, err := tickets.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 600 {
			_, err := tickets.Refresh(t.Context(), credential.Rejected{Generation: c.Generation})
			if kind := fault.KindOf(err); kind != fault.Unavailable && kind != fault.Throttled {
				t.Fatalf("error = %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if asked, _ := o.counts(); asked > 1+2+2 {
			t.Errorf("%d requests in a minute of reports", asked)
		}
		if got, err := tickets.Get(t.Context()); err != nil || got != c {
			t.Errorf("the ticket that is alive was given up: %v, %v", got, err)
		}
	})
}
