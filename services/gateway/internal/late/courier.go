package late

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
)

const (
	// keepPause is how often leases are renewed and dead owners looked for: a lease survives two renewals
	// that fail.
	keepPause = Lease * 3 / 10
	// storeTimeout bounds a command of the store.
	storeTimeout = time.Second
	// lead lets a passive reply reach the follower before what follows it.
	lead = time.Second
	// turnPause is how often a job looks whether the one before it is over.
	turnPause = 250 * time.Millisecond
	// sendTimeout bounds one attempt to send a part.
	sendTimeout = 10 * time.Second
	// senders is how many parts are sent at once.
	senders = 32

	// sendPath is the API that sends customer-service messages (客服接口-发消息).
	sendPath = "/cgi-bin/message/custom/send"
)

// Proxy makes calls to WeChat. It is api-proxy's client.
type Proxy interface {
	Call(ctx context.Context, in *apiproxyv1.CallRequest, opts ...grpc.CallOption) (*apiproxyv1.CallResponse, error)
}

// Options are what a Courier needs. All fields are required.
type Options struct {
	Store Store
	Asker *Asker
	Proxy Proxy
	// Owner names this replica among all.
	Owner string
	// Accounts lists the AppIDs whose jobs may have to be taken over.
	Accounts func() []string
	// ReportProxy is told whether the proxy can be reached.
	ReportProxy func(error)
	Log         *slog.Logger
	Metrics     *prometheus.Registry
}

// Courier works on the late answers that this replica owns. Run keeps them its own, and finds those whose
// owner has died.
type Courier struct {
	store       Store
	asker       *Asker
	proxy       Proxy
	owner       string
	accounts    func() []string
	reportProxy func(error)
	log         *slog.Logger
	metrics     metrics

	// ctx ends the work on all parcels; end gives the cause.
	ctx  context.Context //nolint:containedctx // the life of the parcels, which no call spans.
	end  context.CancelCauseFunc
	work sync.WaitGroup
	// draining is closed when no parcel waits for anything but logic and the proxy any more.
	draining chan struct{}
	// stopped is closed when Run may end.
	stopped chan struct{}
	sending chan struct{}

	mu      sync.Mutex
	parcels map[string]*parcel // by account and key
	closed  bool
}

// parcel is a job on this replica.
type parcel struct {
	// Courier.mu guards Parts, which come later, and id, which changes when the store has lost the job.
	Job
	// over, guarded by Courier.mu as well, says that the store must not get the job again.
	over bool

	in      message.Message
	asking  *Asking // nil if logic has to be asked yet
	due     time.Time
	expires time.Time
	cancel  context.CancelCauseFunc
}

// What ends the work on a parcel before the parcel is delivered.
var (
	errMoved    = errors.New("another replica has the late answer")
	errReleased = errors.New("this replica stops")
	errPanic    = errors.New("panic while delivering")
	errExpired  = errors.New("the time that the account gives late answers (late_answer.ttl) is over")
)

// New returns a Courier. Run it, and Drain it in the end.
func New(o Options) *Courier {
	ctx, end := context.WithCancelCause(context.Background())
	return &Courier{
		store: o.Store, asker: o.Asker, proxy: o.Proxy, owner: o.Owner, accounts: o.Accounts,
		reportProxy: o.ReportProxy, log: o.Log, metrics: newMetrics(o.Metrics),
		ctx: ctx, end: end,
		draining: make(chan struct{}), stopped: make(chan struct{}), sending: make(chan struct{}, senders),
		parcels: map[string]*parcel{},
	}
}

// Adopt takes over a message whose deliveries have ended, with the question to logic that is under way;
// without one, logic is asked again. If job has parts, they follow a passive reply.
//
// The job is stored when Adopt returns, unless the store fails: then this replica has the only copy until
// the store works again.
func (c *Courier) Adopt(ctx context.Context, job Job, in message.Message, asking *Asking) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	id, parked, err := c.store.Park(bounded, job, c.owner)
	switch {
	case err != nil:
		c.log.DebugContext(ctx, "late answer is kept in memory only", "app_id", job.AppID, "message_key", job.Key, "error", err)
	case !parked: // Another replica was faster.
		asking.Cancel()
		return
	}
	job.id = id
	p := &parcel{Job: job, in: in, asking: asking}
	if len(job.Parts) > 0 {
		p.due = time.Now().Add(lead)
	}
	c.start(p)
}

// Pick gives the follower's text by, a message key, what is due to the follower.
func (c *Courier) Pick(ctx context.Context, appID, openID, by string) (Pickup, error) {
	bounded, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	pickup, err := c.store.Pick(bounded, appID, openID, by)
	if pickup.Last {
		c.metrics.answers.WithLabelValues(appID, string(outcomePicked)).Inc()
	}
	return pickup, err
}

// start begins the work on a parcel. A parcel that comes when the courier is closed is another's to take.
func (c *Courier) start(p *parcel) {
	name := jobName(p.AppID, p.Key)
	p.expires = time.Now().Add(p.Left)
	ctx, cancel := context.WithCancelCause(c.ctx)
	p.cancel = cancel
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.parcels[name]; there {
		cancel(errMoved)
		return
	}
	c.parcels[name] = p
	c.metrics.jobs.Set(float64(len(c.parcels)))
	c.work.Go(func() {
		ctx, stop := context.WithDeadlineCause(ctx, p.expires, errExpired)
		defer stop()
		defer cancel(nil)
		o, reason := c.rescued(ctx, p)
		c.conclude(p, o, reason)
	})
}

// rescued delivers a parcel; a panic of ours is a failure of this one.
func (c *Courier) rescued(ctx context.Context, p *parcel) (o outcome, reason error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.log.ErrorContext(ctx, "panic while delivering a late answer", "app_id", p.AppID, "message_key", p.Key,
				"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			o, reason = outcomeFailed, errPanic
		}
	}()
	return c.deliver(ctx, p)
}

// conclude counts what became of a parcel, and forgets it unless it goes on elsewhere.
func (c *Courier) conclude(p *parcel, o outcome, reason error) {
	p.asking.Cancel()
	if o == outcomeReleased {
		return // It is this replica's until Drain has released it.
	}
	c.mu.Lock()
	p.over = true
	delete(c.parcels, jobName(p.AppID, p.Key))
	c.metrics.jobs.Set(float64(len(c.parcels)))
	c.mu.Unlock()
	if o != outcomeMoved {
		c.forget(p, o, reason)
	}
}

// forget takes a parcel that is over out of the store.
func (c *Courier) forget(p *parcel, o outcome, reason error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
	defer cancel()
	picked, err := c.store.Done(ctx, c.stored(p))
	if err != nil {
		// Its lease lapses, and whoever takes it over finds it sent or expired.
		c.log.DebugContext(ctx, "late answer could not be forgotten", "app_id", p.AppID, "message_key", p.Key, "error", err)
	}
	if picked {
		return // Pick has counted it.
	}
	c.metrics.answers.WithLabelValues(p.AppID, string(o)).Inc()
	if o != outcomeSent && o != outcomeSilent {
		c.log.WarnContext(ctx, "late answer did not reach the follower",
			"app_id", p.AppID, "message_key", p.Key, "outcome", string(o), "error", reason)
	}
}

// stored returns the job as it is at present.
func (c *Courier) stored(p *parcel) Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.Job
}

// deliver gets a parcel's answer and brings it to the follower.
func (c *Courier) deliver(ctx context.Context, p *parcel) (outcome, error) {
	if len(p.Parts) == 0 {
		if o, err := c.prepare(ctx, p); o != "" {
			return o, err
		}
	}
	if p.Policy == account.LateAnswerPickup {
		// The follower comes for it.
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-c.draining:
			return outcomeReleased, errReleased
		}
	}
	if !lifecycle.Sleep(ctx, time.Until(p.due)) {
		return ended(ctx)
	}
	if o, err := c.await(ctx, p); o != "" {
		return o, err
	}
	for i := range p.Parts {
		if o, err := c.send(ctx, p, i); o != outcomeSent {
			return o, err
		}
	}
	return outcomeSent, nil
}

// ended tells why a parcel's context is done.
func ended(ctx context.Context) (outcome, error) {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errExpired):
		return outcomeExpired, errExpired
	case errors.Is(cause, errMoved):
		return outcomeMoved, errMoved
	default:
		return outcomeReleased, cause
	}
}

// prepare waits for logic's answer and stores it. It returns an outcome if there is nothing to be sent.
func (c *Courier) prepare(ctx context.Context, p *parcel) (outcome, error) {
	if p.asking == nil {
		p.asking = c.asker.Ask(ctx, Question{AppID: p.AppID, In: p.in, Until: p.expires, Again: true})
	}
	select {
	case <-ctx.Done():
		return ended(ctx)
	case <-p.asking.Done():
	}
	answer := p.asking.Answer()
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case fault.KindOf(answer.Err) == fault.Deadline:
		return outcomeExpired, answer.Err
	case answer.Err != nil:
		return outcomeFailed, answer.Err
	case answer.Reply == nil, !p.in.Answerable():
		return outcomeSilent, nil
	}
	parts, err := Encode(split(answer.Reply, p.Policy, maxParts), p.in, p.Policy, time.Now())
	if err != nil {
		return outcomeFailed, fmt.Errorf("rule %s: %w", answer.Rule, err)
	}
	c.mu.Lock()
	p.Parts = parts
	c.mu.Unlock()
	bounded, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	switch err := c.store.Answer(bounded, c.stored(p), c.owner, parts); {
	case errors.Is(err, ErrLost):
		c.park(p) // It is another's, or the store has lost it and gets it again.
	case err != nil:
		// If this replica dies now, another asks logic again.
		c.log.DebugContext(ctx, "late answer is not stored", "app_id", p.AppID, "message_key", p.Key, "error", err)
	}
	return "", nil
}

// await waits until the parcel's turn among those of its follower has come.
func (c *Courier) await(ctx context.Context, p *parcel) (outcome, error) {
	for !c.hasTurn(ctx, p) {
		if !lifecycle.Sleep(ctx, turnPause) {
			return ended(ctx)
		}
	}
	return "", nil
}

// hasTurn reports whether a parcel may be sent. While the store is away there is no order to keep.
func (c *Courier) hasTurn(ctx context.Context, p *parcel) bool {
	bounded, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	turn, err := c.store.Turn(bounded, c.stored(p))
	return turn || err != nil
}

// send sends one part, as often as it takes.
func (c *Courier) send(ctx context.Context, p *parcel, i int) (outcome, error) {
	request := &apiproxyv1.CallRequest{
		AppId: p.AppID, Method: "POST", Path: sendPath, Body: p.Parts[i],
		IdempotencyKey: idempotencyKey(p.Key, i),
	}
	unknown := 0
	for attempt := 0; ; attempt++ {
		answer, err := c.call(ctx, request)
		if ctx.Err() != nil && err != nil {
			return ended(ctx)
		}
		v := judge(answer, err, attempt, unknown)
		if !v.again {
			return v.outcome, v.reason
		}
		if v.outcome == outcomeUnknown {
			unknown++
		}
		c.log.DebugContext(ctx, "late answer is tried again", "app_id", p.AppID, "message_key", p.Key, "after", v.after.String(), "error", v.reason)
		if !lifecycle.Sleep(ctx, v.after) {
			return ended(ctx)
		}
	}
}

// idempotencyKey names a part of an answer. A message key may hold what a push does, the proxy takes only
// printable ASCII.
func idempotencyKey(messageKey string, part int) string {
	return fmt.Sprintf("late-%x-%d", sha256.Sum256([]byte(messageKey)), part)
}

func (c *Courier) call(ctx context.Context, request *apiproxyv1.CallRequest) (*apiproxyv1.CallResponse, error) {
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	answer, err := c.proxy.Call(bounded, request)
	if err == nil || fault.KindOf(err) == fault.Unavailable {
		c.reportProxy(err)
	}
	return answer, err
}

// Run renews leases and takes over what dead replicas left, until Drain has ended.
func (c *Courier) Run(context.Context) error {
	ticker := time.NewTicker(keepPause)
	defer ticker.Stop()
	for {
		c.keep()
		c.takeOver()
		select {
		case <-c.stopped:
			return nil
		case <-ticker.C:
		}
	}
}

// keep renews the leases of all parcels, stores those that the store doesn't have, and lets those go that
// are another's.
func (c *Courier) keep() {
	for appID, held := range c.held() {
		lost, err := c.renew(appID, held)
		if err != nil {
			continue // The store's own health is watched elsewhere.
		}
		for _, p := range lost {
			c.park(p)
		}
	}
}

// held returns the parcels by account.
func (c *Courier) held() map[string][]*parcel {
	c.mu.Lock()
	defer c.mu.Unlock()
	byAccount := map[string][]*parcel{}
	for _, p := range c.parcels {
		byAccount[p.AppID] = append(byAccount[p.AppID], p)
	}
	return byAccount
}

// renew renews leases and returns the parcels that have none.
func (c *Courier) renew(appID string, held []*parcel) (lost []*parcel, err error) {
	byID := make(map[string]*parcel, len(held))
	ids := make([]string, 0, len(held))
	for _, p := range held {
		id := c.stored(p).id
		if id == "" {
			lost = append(lost, p)
			continue
		}
		byID[id] = p
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return lost, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
	defer cancel()
	lostIDs, err := c.store.Keep(ctx, appID, c.owner, ids)
	for _, id := range lostIDs {
		lost = append(lost, byID[id])
	}
	return lost, err
}

// park stores a parcel that the store does not know as ours. The store may not know it because it is over.
func (c *Courier) park(p *parcel) {
	c.mu.Lock()
	job, over := p.Job, p.over
	c.mu.Unlock()
	if job.Left = time.Until(p.expires); over || job.Left <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
	defer cancel()
	id, parked, err := c.store.Park(ctx, job, c.owner)
	switch {
	case err != nil:
	case !parked:
		p.cancel(errMoved)
	case c.parked(p, id): // It was over before it was stored.
		job.id = id
		_, _ = c.store.Done(ctx, job)
	}
}

// parked notes a parcel's entry, and reports whether the parcel is over.
func (c *Courier) parked(p *parcel, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.id = id
	return p.over
}

// takeOver takes the jobs of replicas that are silent.
func (c *Courier) takeOver() {
	if c.isClosed() {
		return
	}
	for _, appID := range c.accounts() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), storeTimeout)
		jobs, err := c.store.Take(ctx, appID, c.owner)
		cancel()
		if err != nil {
			return // The next account fares no better.
		}
		for _, job := range jobs {
			c.resume(job)
		}
	}
}

// resume begins to work on a job that was another's.
func (c *Courier) resume(job Job) {
	p := &parcel{Job: job}
	var err error
	if len(job.Push) > 0 { // Otherwise its record has ended, and so has its time.
		p.in, err = message.Parse(job.Push)
	}
	if err != nil { // It was parsed when it was stored, perhaps by another version.
		c.forget(p, outcomeFailed, err)
		return
	}
	c.start(p)
}

func (c *Courier) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Drain waits until every answer that logic or the proxy works on has reached its follower, at most until
// ctx is done. It leaves the rest to other replicas, which take it over at once, and ends Run. Call it when
// nothing calls Adopt any more.
func (c *Courier) Drain(ctx context.Context) {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.draining)
	ended := make(chan struct{})
	go func() {
		c.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		c.end(errReleased)
		<-ended
	}
	c.end(errReleased)
	c.keep() // The last chance to store what is in memory only.
	c.release(context.WithoutCancel(ctx))
	c.asker.Wait()
	close(c.stopped)
}

// release lets other replicas have what is left.
func (c *Courier) release(ctx context.Context) {
	for appID, held := range c.held() {
		ids := make([]string, 0, len(held))
		for _, p := range held {
			if id := c.stored(p).id; id != "" {
				ids = append(ids, id)
			} else {
				c.log.WarnContext(ctx, "late answer is lost: this replica stops and could not store it",
					"app_id", p.AppID, "message_key", p.Key)
			}
		}
		if len(ids) == 0 {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, storeTimeout)
		if err := c.store.Release(bounded, appID, c.owner, ids); err != nil {
			c.log.DebugContext(ctx, "late answers could not be released, their leases lapse", "app_id", appID, "error", err)
		}
		cancel()
	}
}
