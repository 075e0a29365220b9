// Package forward has an HTTP backend (自有服务器) answer followers: JSON out, JSON in, signed as the Standard
// Webhooks specification says, so that every language has a library that checks it.
package forward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/wxstack/wxstack/chassis/config"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// maxAnswerBytes bounds an answer. The longest that WeChat shows is a tenth of it.
const maxAnswerBytes = 64 << 10

// The pauses between two attempts. The follower waits meanwhile.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = time.Second
)

// Config says where to ask and how.
type Config struct {
	// Rule is the name of the rule, which the backend is told.
	Rule string
	URL  string
	// Secret signs the requests, with or without the prefix whsec_. Without one they are not signed.
	Secret config.Secret
	// Headers are sent along, for routing at the backend's own edge.
	Headers map[string]string
	// Retries is how often a request is sent again that was not answered.
	Retries int
}

// Handler asks a backend.
type Handler struct {
	cfg    Config
	host   string
	signer *standardwebhooks.Webhook
	client *http.Client
}

// New makes a Handler. It fails if the secret is not base64.
func New(cfg Config, transport http.RoundTripper) (*Handler, error) {
	h := &Handler{cfg: cfg, client: &http.Client{
		Transport: transport,
		// A POST that is redirected would become a GET, or take message and signature to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if address, err := url.Parse(cfg.URL); err == nil {
		h.host = address.Host
	}
	if secret := cfg.Secret.Reveal(); secret != "" {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, errors.New("the secret must be base64, as of: openssl rand -base64 32")
		}
		h.signer = signer
	}

	return h, nil
}

// Answer asks the backend, and again where that can help and nothing can have gone wrong but the way.
func (h *Handler) Answer(ctx context.Context, req *logicv1.ReplyRequest) (route.Answer, error) {
	return h.AnswerWith(ctx, req, nil)
}

// AnswerWith does the same, and hands over what the follower has answered in a dialogue, by name.
func (h *Handler) AnswerWith(ctx context.Context, req *logicv1.ReplyRequest, answers map[string]string) (route.Answer, error) {
	body, err := encode(h.cfg.Rule, req, answers)
	if err != nil {
		return route.Answer{}, err
	}
	id := requestID(req)
	answer, err := backoff.Retry(ctx, func() ([]byte, error) { return h.ask(ctx, id, body) }, h.retrying(ctx)...)
	if err != nil {
		return route.Answer{}, route.Fail(route.ReasonBackend, unwrapped(err))
	}
	decided, err := decode(answer, req.GetMessage().GetEvent() != nil)
	if err != nil && !errors.Is(err, route.ErrPass) {
		err = route.Fail(route.ReasonBackend, fmt.Errorf("answer of %s: %w", h.host, err))
	}

	return decided, err
}

// retrying says how often to try, and not to wait for a time at which nobody waits any more.
func (h *Handler) retrying(ctx context.Context) []backoff.RetryOption {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, maxPause
	options := []backoff.RetryOption{
		backoff.WithBackOff(pauses), backoff.WithMaxTries(uint(h.cfg.Retries) + 1),
	}
	if deadline, has := ctx.Deadline(); has {
		options = append(options, backoff.WithMaxElapsedTime(time.Until(deadline)))
	}

	return options
}

// unwrapped takes off what the retrying adds.
func unwrapped(err error) error {
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		return permanent.Err
	}

	return err
}

// requestID names a message over all accounts and attempts, so that the backend can tell repeats. It is a hash
// because a message key may have letters that no header may.
func requestID(req *logicv1.ReplyRequest) string {
	sum := sha256.Sum256([]byte(req.GetMessage().GetAppId() + "/" + req.GetMessageKey()))

	return "msg_" + hex.EncodeToString(sum[:16])
}

// encode writes the request as the proto has it, the rule, and the answers of a dialogue that has come to its end.
// It leaves out the raw push: what is in it is in the message's fields too.
func encode(rule string, req *logicv1.ReplyRequest, answers map[string]string) ([]byte, error) {
	asked := proto.CloneOf(req)
	if msg := asked.GetMessage(); msg != nil {
		msg.Raw = nil
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	asking := map[string]any{"rule": rule}
	if len(answers) > 0 {
		asking["answers"] = answers
	}
	for name, field := range fields {
		asking[name] = field
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(asking)

	return bytes.TrimSpace(out.Bytes()), err
}

// ask makes one request. An error that is not a backoff.PermanentError can be tried again.
func (h *Handler) ask(ctx context.Context, id string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, backoff.Permanent(fmt.Errorf("request to %s: cannot be made, check url", h.host))
	}
	for name, value := range h.cfg.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if err := h.sign(request, id, body); err != nil {
		return nil, backoff.Permanent(err)
	}
	response, err := h.client.Do(request)
	if err != nil {
		return nil, h.unanswered(ctx, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, h.unanswered(ctx, err)
	}

	return answer, h.judge(response, len(answer), time.Now())
}

func (h *Handler) sign(request *http.Request, id string, body []byte) error {
	now := time.Now()
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	if h.signer == nil {
		return nil
	}
	signature, err := h.signer.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("sign the request to %s: %w", h.host, err)
	}
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)

	return nil
}

// judge tells what an HTTP status says: an answer, a failure that may pass, or one that will not.
func (h *Handler) judge(response *http.Response, length int, now time.Time) error {
	switch status := response.StatusCode; {
	case length > maxAnswerBytes:
		return backoff.Permanent(fmt.Errorf("answer of %s: longer than %d KiB", h.host, maxAnswerBytes>>10))
	case status == http.StatusOK, status == http.StatusNoContent:
		return nil
	case status == http.StatusTooManyRequests:
		return askedToWait(statusError(h.host, status, "it is busy, or limits us"), response.Header, now)
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return askedToWait(statusError(h.host, status, "see whether the backend runs"), response.Header, now)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return backoff.Permanent(statusError(h.host, status, "check that both sides have the same secret, and clocks that agree"))
	case status < http.StatusMultipleChoices:
		return backoff.Permanent(statusError(h.host, status, "an answer has status 200, silence may have 204"))
	case status < http.StatusBadRequest:
		return backoff.Permanent(statusError(h.host, status, "redirects are not followed; write the last address into url"))
	default:
		return backoff.Permanent(statusError(h.host, status, "see the log of the backend"))
	}
}

func statusError(host string, status int, remedy string) error {
	return fmt.Errorf("%s answers with HTTP status %d; %s", host, status, remedy)
}

// askedToWait adds to err the pause that a backend asks for, in seconds or until a date: RFC 9110, section 10.2.3.
func askedToWait(err error, header http.Header, now time.Time) error {
	value := header.Get("Retry-After")
	pause := time.Duration(0)
	if seconds, failed := strconv.ParseUint(value, 10, 31); failed == nil {
		pause = time.Duration(seconds) * time.Second
	} else if date, failed := http.ParseTime(value); failed == nil {
		pause = date.Sub(now)
	}
	if pause <= 0 {
		return err
	}

	return fmt.Errorf("%w; %w", err, &backoff.RetryAfterError{Duration: pause})
}

// unanswered is the error of a request that went wrong on the way. It does not have the address: path and query
// may hold what no log should.
func (h *Handler) unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return backoff.Permanent(fmt.Errorf("%s has not answered yet: %w", h.host, ctx.Err()))
	}
	if with, ok := errors.AsType[*url.Error](err); ok {
		err = with.Err
	}

	return fmt.Errorf("ask %s: %w", h.host, err)
}
