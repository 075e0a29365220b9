// Package callback is the gateway's face to WeChat: the callback URL (服务器配置 URL), to which WeChat
// sends what followers do, and whose answer is what a follower reads (被动回复用户消息).
//
// The way of a message by file: handler.go takes the request and writes the answer, push.go decides
// whether it is WeChat's, flight.go gets the one answer that all deliveries of the message share, and
// schedule.go knows the time that is left for it.
package callback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// Options are what a Handler needs. All fields but Callers are required.
type Options struct {
	// Accounts returns the accounts in force, which change while the process runs. A request asks once.
	Accounts func() *accounts.Directory
	// Callers returns why a request cannot come from WeChat, judging by where it comes from, or nil. Without
	// it anybody may call, and has to prove to be WeChat by the signature alone.
	Callers    func(*http.Request) error
	Deduper    Deduper
	Asker      *late.Asker
	Late       Late
	Allowances Allowances
	// Owner names this replica among all.
	Owner string
	// TimestampWindow is how far a push's timestamp may be off this server's clock.
	TimestampWindow time.Duration
	// BodyLimit is the greatest length of a push in bytes.
	BodyLimit int64
	Log       *slog.Logger
	Metrics   *prometheus.Registry
}

// Handler serves the callback URLs /wx/{app_id}, and /wx, where a push itself says whose it is.
type Handler struct {
	accounts  func() *accounts.Directory
	callers   func(*http.Request) error
	window    time.Duration
	bodyLimit int64
	log       *slog.Logger
	metrics   *metrics
	flights   *flights
	// warnings are throttled apart, so that strangers cannot drown what the operator has to mend.
	warnings struct{ refused, foreign, misaddressed throttle }
}

// New returns a Handler. Call Drain after the last request.
func New(o Options) *Handler {
	m := newMetrics(o.Metrics)
	return &Handler{
		accounts:  o.Accounts,
		callers:   o.Callers,
		window:    o.TimestampWindow,
		bodyLimit: o.BodyLimit,
		log:       o.Log,
		metrics:   m,
		flights: &flights{
			deduper:    o.Deduper,
			asker:      o.Asker,
			late:       o.Late,
			allowances: o.Allowances,
			owner:      o.Owner,
			log:        o.Log,
			metrics:    m,
			stop:       make(chan struct{}),
			open:       map[dedupe.Key]*flight{},
		},
	}
}

// Drain waits until every computation has ended, so that its answer is there for a delivery that reaches
// another replica. When ctx is done it ends the rest and gives their claims back.
func (h *Handler) Drain(ctx context.Context) { h.flights.drain(ctx) }

// ServeHTTP answers a verification, a message or an event of WeChat's, or greets a human.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.rescue(w, r)
	if h.callers != nil {
		if err := h.callers(r); err != nil {
			h.refuse(w, r, nil, kindNone, refuse(http.StatusForbidden, outcomeForeign, "%v", err))
			return
		}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		h.metrics.count("", kindNone, outcomeBadMethod)
		return
	}
	to, ok := h.destination(r.URL.Path)
	switch {
	case !ok:
		h.metrics.count("", kindNone, outcomeUnknown)
		write(w, http.StatusNotFound, textType, nil)
	case r.Method == http.MethodPost:
		h.push(w, r, to)
	case r.URL.RawQuery == "":
		h.metrics.count(appIDOf(to.account), kindHuman, outcomeGreeted)
		write(w, http.StatusOK, textType, []byte(greeting))
	default:
		h.verify(w, r, to)
	}
}

// The path of the callback URLs.
const (
	root   = "/wx"
	prefix = root + "/"
)

// greeting is what a human reads who opens the callback URL in a browser.
const greeting = "你好，这里是微信公众号的消息接口（hello, this is handle view）。\n" +
	"服务运行正常。请在公众平台“设置与开发 → 基本配置 → 服务器配置”中把本页网址填为 URL。\n"

// destination is where a request goes, as far as its URL tells.
type destination struct {
	accounts *accounts.Directory
	// account is nil when the URL is that of several accounts.
	account *accounts.Account
}

// signer returns the account under whose Token the query is signed, if there is one that the URL leads to.
func (to destination) signer(c credentials) (*accounts.Account, bool) {
	if to.account != nil {
		return to.account, to.account.Verify(c.signature, c.timestamp, c.nonce)
	}
	return to.accounts.Verifying(c.signature, c.timestamp, c.nonce)
}

// destination returns where a path leads, if anywhere.
func (h *Handler) destination(path string) (to destination, ok bool) {
	to.accounts = h.accounts()
	if path == root {
		to.account, _ = to.accounts.Only()
		return to, true
	}
	appID, found := strings.CutPrefix(path, prefix)
	if !found {
		return to, false
	}
	to.account, ok = to.accounts.Find(appID)
	return to, ok
}

// appIDOf is the label of an account in metrics and logs, empty while it isn't known.
func appIDOf(a *accounts.Account) string {
	if a == nil {
		return ""
	}
	return a.AppID
}

// verify answers the request by which WeChat checks the URL when it is saved in the console (接入验证). It
// is the same in all modes, and the same request may come again. It names no account; whose it is shows in
// whose Token it was signed with.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request, to destination) {
	c := credentialsOf(r.URL.RawQuery)
	a, ok := to.signer(c)
	if !ok {
		h.refuse(w, r, a, kindVerification, wrongSignature(a))
		return
	}
	h.metrics.count(a.AppID, kindVerification, outcomeVerified)
	write(w, http.StatusOK, textType, []byte(r.URL.Query().Get("echostr")))
}

// push answers a message or an event.
func (h *Handler) push(w http.ResponseWriter, r *http.Request, to destination) {
	arrived := time.Now()
	c := credentialsOf(r.URL.RawQuery)
	p, err := h.read(w, r, to, c, arrived)
	a := p.account
	if refused, ok := errors.AsType[*refusal](err); ok {
		h.refuse(w, r, a, kindNone, refused)
		return
	}
	var in message.Message
	if err == nil {
		in, err = message.Parse(p.plaintext)
	}
	if err != nil {
		// It is WeChat's, so refusing it would show the follower an error notice. The key isn't known; the
		// time and nonce let WeChat's own log be searched.
		h.log.WarnContext(r.Context(), "unreadable push, the follower was shown nothing",
			"app_id", a.AppID, "timestamp", c.timestamp, "nonce", c.nonce, "error", err)
		h.metrics.observe(a.AppID, kindNone, outcomeUnreadable, time.Since(arrived))
		write(w, http.StatusOK, textType, []byte(message.Success))
		return
	}
	if in.ToUserName != a.OriginalID {
		h.dismiss(w, r, a, in, arrived)
		return
	}
	o := h.deliver(w, r, delivery{authentic: p, in: in, nonce: c.nonce, arrived: arrived})
	h.metrics.observe(a.AppID, kindOf(in), o, time.Since(arrived))
	if o == outcomeLapsed || o == outcomeInterrupted {
		// An empty answer would tell WeChat that there is none. Closing makes it deliver again.
		panic(http.ErrAbortHandler)
	}
}

// dismiss answers a push that bears an account's signature but is addressed to another one: the console of
// one account has the URL and the Token of the other, or original_id is wrong. Logic isn't asked, because
// it would answer with the rules, and later through the token, of the wrong account. The follower isn't
// shown an error, because it is WeChat's push.
func (h *Handler) dismiss(w http.ResponseWriter, r *http.Request, a *accounts.Account, in message.Message, arrived time.Time) {
	level := slog.LevelDebug
	if h.warnings.misaddressed.allow(arrived) {
		level = slog.LevelWarn
	}
	h.log.Log(r.Context(), level, "push for another account, the follower was shown nothing: "+
		"compare original_id (原始ID) in the accounts file and the URL in the console",
		"app_id", a.AppID, "original_id", a.OriginalID, "to_user_name", in.ToUserName, "message_key", in.Key())
	h.metrics.observe(a.AppID, kindOf(in), outcomeMisaddressed, time.Since(arrived))
	write(w, http.StatusOK, textType, []byte(message.Success))
}

// authentic is a push that has proved to be WeChat's.
type authentic struct {
	account *accounts.Account
	// plaintext is the push in clear.
	plaintext []byte
	// cipher opened it, nil if it came in clear.
	cipher *msgcrypt.Cipher
}

// read returns the push in clear. Its error is a refusal unless the push is WeChat's. The account is there
// as soon as it is known.
//
// Where the URL names no account the body has to be read and parsed before the signature can be checked;
// its length and the time are bounded before.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, to destination, c credentials, now time.Time) (p authentic, err error) {
	p.account = to.account
	if p.account != nil {
		err = c.admit(p.account, now, h.window)
	} else {
		err = c.fresh(now, h.window)
	}
	if err != nil {
		return p, err
	}
	body, err := h.body(w, r)
	if err != nil {
		return p, err
	}
	if p.account == nil {
		if p.account, err = c.addressee(to.accounts, body); err != nil {
			return p, err
		}
		if err := c.admit(p.account, now, h.window); err != nil {
			return p, err
		}
	}
	if !c.sealed(p.account) {
		p.plaintext = body
		return p, nil
	}
	p.plaintext, p.cipher, err = c.open(p.account, body)
	return p, err
}

// body reads the body, up to the limit. Its error is a refusal.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body []byte
	var err error
	switch n := r.ContentLength; {
	case n > h.bodyLimit:
		err = &http.MaxBytesError{Limit: h.bodyLimit}
	case n >= 0: // as WeChat sends it
		body = make([]byte, n)
		_, err = io.ReadFull(r.Body, body)
	default:
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, h.bodyLimit))
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refuse(http.StatusRequestEntityTooLarge, outcomeTooLarge, "body exceeds %d bytes", h.bodyLimit)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, outcomeBadBody, "read body: %v", err)
	}
	return body, nil
}

// delivery is one authentic request of WeChat's.
type delivery struct {
	authentic

	in      message.Message
	nonce   string
	arrived time.Time
}

// deliver waits for the answer to the message and writes it. It holds on while WeChat does: a delivery
// before the last may lapse, and the next one gets the answer.
func (h *Handler) deliver(w http.ResponseWriter, r *http.Request, d delivery) outcome {
	key := dedupe.Key{AppID: d.account.AppID, Message: d.in.Key()}
	f, begins := h.flights.join(key, d)
	if f == nil {
		return outcomeInterrupted
	}
	landed := h.await(w, r, f, begins)
	if !begins || landed.repeated {
		h.metrics.duplicates.WithLabelValues(key.AppID).Inc()
	}
	if landed.answer == nil {
		return landed.outcome
	}
	body, contentType, err := seal(landed.answer, d.cipher, d.nonce, time.Now())
	if err != nil {
		h.log.ErrorContext(r.Context(), "reply lost", "app_id", key.AppID, "message_key", key.Message, "error", err)
		body, contentType, landed.outcome = []byte(message.Success), textType, outcomeFailed
	}
	write(w, http.StatusOK, contentType, body)
	return landed.outcome
}

// await returns what a flight brought, or that the delivery lapsed or was held for too long before.
func (h *Handler) await(w http.ResponseWriter, r *http.Request, f *flight, pilots bool) landing {
	until := time.Now().Add(holdCap)
	// The server's read time-out has done its work, against slow senders. Left in place it would end the
	// request's context while the answer is computed, just as if WeChat had closed the connection. Most
	// answers are there before that, and needn't pay for it. Writers without deadlines are those of tests.
	hold := func() { _ = http.NewResponseController(w).SetReadDeadline(time.Time{}) }
	if pilots {
		if h.flights.pilot(r.Context(), f, hold, until) {
			return f.landed
		}
	} else {
		hold()
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		select {
		case <-f.done:
			return f.landed
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	if r.Context().Err() != nil {
		return landing{outcome: outcomeLapsed}
	}
	return success(outcomeHeld)
}

// refuse answers a request that isn't WeChat's with a status and nothing else, so that whoever sent it
// learns nothing. The operator learns the reason, but not once per request: anybody can send these.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, a *accounts.Account, kind string, refused *refusal) {
	appID := appIDOf(a)
	h.metrics.count(appID, kind, refused.outcome)
	if refused.outcome == outcomeBadSignature {
		h.metrics.signatureFailures.WithLabelValues(appID).Inc()
	}
	warnings := &h.warnings.refused
	if refused.outcome == outcomeForeign {
		warnings = &h.warnings.foreign
	}
	level := slog.LevelDebug
	if warnings.allow(time.Now()) {
		level = slog.LevelWarn
	}
	h.log.Log(r.Context(), level, "callback refused", "app_id", appID, "status", refused.status, "reason", refused)
	write(w, refused.status, textType, nil)
}

// rescue answers for a panic of ours: WeChat must not show the follower an error notice for it.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // net/http's own way to close a connection.
	}
	h.log.ErrorContext(r.Context(), "panic at the callback URL", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	h.metrics.count("", kindNone, outcomeFailed)
	write(w, http.StatusOK, textType, []byte(message.Success))
}

// write sends an answer.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	// The echo of a verification is the sender's text: no browser may take it for a page.
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // see above; and if the connection is gone, WeChat delivers again.
}
