package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/phrase"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
	"github.com/wxstack/wxstack/wechat/signature"
)

// maxAnswerBytes is far above any reply; more than that is cut and thus invalid.
const maxAnswerBytes = 1 << 20

// DeliveryResult is one HTTP request of a push.
type DeliveryResult struct {
	Attempt      int       `json:"attempt"` // From 1.
	Time         time.Time `json:"time"`
	DurationMS   float64   `json:"duration_ms"`
	TimeoutMS    float64   `json:"timeout_ms"` // How long an answer is waited for.
	Status       int       `json:"status"`     // 0 when there was no response.
	ContentType  string    `json:"content_type,omitempty"`
	RequestURL   string    `json:"request_url"`
	RequestBody  string    `json:"request_body"`
	ResponseBody string    `json:"response_body"`
	Opened       string    `json:"opened,omitempty"` // The response in clear, when it came sealed.
	Verdict      Verdict   `json:"verdict"`
	Code         string    `json:"code"`      // Names the reason, for programs.
	Reason       string    `json:"reason"`    // Why, in English.
	ReasonZh     string    `json:"reason_zh"` // Why, in Chinese.

	line *ChatEntry
}

// Verdict is what WeChat makes of one delivery's answer.
type Verdict = verdict.Verdict

// The verdicts.
const (
	// VerdictShown means that a valid reply was shown to the follower.
	VerdictShown = verdict.Shown
	// VerdictSilent means a valid answer that shows nothing: success or empty.
	VerdictSilent = verdict.Silent
	// VerdictInvalid means an answer that WeChat can't use. It isn't retried.
	VerdictInvalid = verdict.Invalid
	// VerdictNoAnswer means that nothing came in time. The message is sent again.
	VerdictNoAnswer = verdict.NoAnswer
)

// judged writes down what WeChat makes of the answer.
func (d *DeliveryResult) judged(judgement verdict.Judgement) {
	d.Verdict, d.Opened = judgement.Verdict, capture([]byte(judgement.Opened))
	d.Code, d.Reason, d.ReasonZh = string(judgement.Reason.Code), judgement.Reason.En, judgement.Reason.Zh
	if shown := judgement.Content; shown != nil {
		d.line = &ChatEntry{
			Side: SideAccount, Channel: ChannelReply, Type: shown.Type, Text: shown.Text, MediaID: shown.MediaID, ThumbID: shown.ThumbID,
		}
		for _, article := range shown.Articles {
			d.line.Articles = append(d.line.Articles, Article(article))
		}
	}
}

// reason is why the delivery got its verdict.
func (d *DeliveryResult) reason() verdict.Reason {
	return verdict.Reason{Code: verdict.Code(d.Code), Phrase: phrase.Phrase{Zh: d.ReasonZh, En: d.Reason}}
}

// newDeliveryClient returns a client that behaves as WeChat's does: no redirects,
// no proxy, no compression.
func newDeliveryClient(reuse bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives:   !reuse,
			DisableCompression:  true,
			MaxIdleConnsPerHost: maxIdlePerHost,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// signedQuery is the query that every request to a callback URL carries.
type signedQuery struct {
	timestamp, nonce string
	values           url.Values
}

func newSignedQuery(callbackToken string) signedQuery {
	query := signedQuery{
		timestamp: strconv.FormatInt(time.Now().Unix(), 10),
		nonce:     strconv.FormatUint(uint64(rand.Uint32()), 10), //nolint:gosec // WeChat's nonce is no secret.
		values:    make(url.Values),
	}
	query.values.Set("signature", signature.Sign(callbackToken, query.timestamp, query.nonce))
	query.values.Set("timestamp", query.timestamp)
	query.values.Set("nonce", query.nonce)

	return query
}

// url adds the query to a callback URL, which may have one of its own.
func (q signedQuery) url(callback string) (string, error) {
	target, err := url.Parse(callback)
	if err != nil {
		return "", fmt.Errorf("%w: callback URL can't be parsed: %w", ErrInvalid, err)
	}
	values := target.Query()
	maps.Copy(values, q.values)
	target.RawQuery = values.Encode()

	return target.String(), nil
}

// deliverAll sends the push until there is an answer. All deliveries are the same
// bytes: whether the real platform signs anew is not known, and the same signature
// is the harder case for a gateway that guards against replays.
func (p *Platform) deliverAll(ctx context.Context, sent outgoing) PushResult {
	started := time.Now()
	result := PushResult{
		ID: p.entries.Add(1), Account: sent.push.Account, From: sent.push.From, Type: sent.push.Type,
		Event: sent.push.Event, InfoType: sent.push.InfoType, Mode: sent.push.Mode, Format: sent.push.Format,
		MsgID: sent.document.msgID, Time: started, Clear: sent.recorded(), Outcome: OutcomePending, secrets: sent.receiver.secrets,
	}
	for attempt := 1; attempt <= p.options.Delivery.Attempts; attempt++ {
		p.showPending(sent, result)
		delivery := p.deliver(ctx, sent, attempt)
		result.Deliveries = append(result.Deliveries, delivery)
		if delivery.Verdict != VerdictNoAnswer || ctx.Err() != nil {
			break
		}
	}
	result.DurationMS = milliseconds(time.Since(started))
	result.Outcome = OutcomeFailed
	switch result.Deliveries[len(result.Deliveries)-1].Verdict {
	case VerdictShown:
		result.Outcome = OutcomeShown
	case VerdictSilent:
		result.Outcome = OutcomeSilent
	case VerdictInvalid, VerdictNoAnswer:
	}

	return result
}

// deliver makes one request and judges its answer.
func (p *Platform) deliver(ctx context.Context, sent outgoing, attempt int) DeliveryResult {
	started := time.Now()
	delivery := DeliveryResult{
		Attempt: attempt, Time: started, TimeoutMS: milliseconds(p.options.Delivery.Timeout),
		RequestURL: sent.url, RequestBody: capture([]byte(sent.body)),
	}
	client := p.fresh
	if sent.push.ReuseConnections {
		client = p.reusing
	}
	got, err := p.post(ctx, client, sent)
	delivery.DurationMS = milliseconds(time.Since(started))
	delivery.Status, delivery.ContentType = got.status, got.contentType
	delivery.ResponseBody = capture(got.body)
	switch {
	case err != nil:
		delivery.judged(verdict.Without(p.whyLost(err)))
	case got.status != http.StatusOK:
		delivery.judged(verdict.Without(verdict.Because(verdict.WrongStatus, got.status)))
	default:
		delivery.judged(verdict.Judge(got.body, sent.expected))
	}

	return delivery
}

// post sends the request and reads the whole answer within the timeout. When the
// time is over, the connection is dropped.
func (p *Platform) post(ctx context.Context, client *http.Client, sent outgoing) (callbackAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.options.Delivery.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, sent.url, strings.NewReader(sent.body))
	if err != nil {
		return callbackAnswer{}, fmt.Errorf("build request: %w", err)
	}
	request.Header = headerOf(sent.push.Format)

	return exchange(client, request)
}

// callbackAnswer is what an account's server answered.
type callbackAnswer struct {
	status      int // 0 when there was no answer.
	contentType string
	body        []byte
}

func exchange(client *http.Client, request *http.Request) (callbackAnswer, error) {
	response, err := client.Do(request)
	if err != nil {
		return callbackAnswer{}, fmt.Errorf("call callback URL: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // What matters was read; WeChat doesn't care either.
	got := callbackAnswer{status: response.StatusCode, contentType: response.Header.Get("Content-Type")}
	got.body, err = readAnswer(response)

	return got, err
}

// readAnswer reads as much of an answer as can be a reply.
func readAnswer(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return body, fmt.Errorf("read answer: %w", err)
	}

	return body, nil
}

// whyLost says why there was no answer.
func (p *Platform) whyLost(err error) verdict.Reason {
	var operation *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return verdict.Because(verdict.TimedOut, p.options.Delivery.Timeout)
	case errors.Is(err, context.Canceled):
		return verdict.Because(verdict.PushWasStopped)
	case errors.As(err, &operation) && operation.Op == "dial":
		return verdict.Because(verdict.Unreachable, operation)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return verdict.Because(verdict.Disconnected)
	default:
		return verdict.Because(verdict.AnswerLost, err)
	}
}

// capture keeps the beginning of a body for the inspector.
func capture(body []byte) string {
	if len(body) <= maxCapturedBody {
		return string(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	}

	return string(bytes.ToValidUTF8(body[:maxCapturedBody], nil)) + fmt.Sprintf("… (%d bytes)", len(body))
}

func milliseconds(duration time.Duration) float64 {
	return float64(duration.Microseconds()) / float64(time.Millisecond/time.Microsecond)
}
