// Package once makes a call at most once where it carries an idempotency key, however often and of whichever
// replica it is asked for. Calls without a key, and those that are safe to repeat, pass through.
package once

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

const (
	// maxKept is how long a body may be that is kept for repeats. Answers to calls that change something are a few
	// hundred bytes.
	maxKept = 64 << 10
	// maxAnswer bounds an answer that has to be read whole before anybody gets it.
	maxAnswer = 4<<20 - 64<<10
)

// Forwarder makes calls.
type Forwarder interface {
	Endpoint(method string, t target.Target) endpoint.Endpoint
	Admit(ctx context.Context, c forward.Call) (forward.Call, error)
	Do(ctx context.Context, c forward.Call) (*forward.Answer, error)
}

// Guard makes the calls that carry an idempotency key, each once.
type Guard interface {
	Do(ctx context.Context, key idempotency.Key, request idempotency.Fingerprint, call idempotency.Call) ([]byte, error)
}

// Caller makes calls. It is safe for concurrent use.
type Caller struct {
	Forwarder

	guard Guard
}

// New makes a Caller.
func New(forwarder Forwarder, guard Guard) *Caller { return &Caller{forwarder, guard} }

// Admit admits a call as the Forwarder does, and refuses a key that cannot be kept.
func (o *Caller) Admit(ctx context.Context, c forward.Call) (forward.Call, error) {
	if err := checkKey(c.Key); err != nil {
		return c, err
	}
	c, err := o.Forwarder.Admit(ctx, c)
	if err == nil && c.Key != "" && c.Endpoint.Token == endpoint.None {
		err = fault.New(fault.Invalid, keyField+": %s belongs to no account, under which the key could be kept; leave it empty", c.Endpoint.Path)
	}
	return c, err
}

// Do makes a call that was admitted. What is safe to repeat needs no record, and many of its answers, such as
// tickets (jsapi_ticket) and followers' data, must not lie in Redis.
func (o *Caller) Do(ctx context.Context, c forward.Call) (*forward.Answer, error) {
	if c.Key == "" || c.Endpoint.Repeat {
		return o.Forwarder.Do(ctx, c)
	}
	request, err := fingerprint(c)
	if err != nil {
		return nil, err
	}
	var made *forward.Answer
	verdict, err := o.guard.Do(ctx, idempotency.Key{AppID: c.AppID, Value: c.Key}, request,
		func(ctx context.Context) (kept []byte, outcome idempotency.Outcome, err error) {
			made, err = o.whole(ctx, c)
			if outcome = outcomeOf(made, err); outcome != idempotency.Kept {
				return nil, outcome, err
			}
			kept, keepErr := keepable(made)
			if keepErr != nil {
				return nil, idempotency.Uncertain, keepErr
			}
			return kept, outcome, err
		})
	if err != nil {
		return nil, err
	}
	if made != nil {
		return made, nil
	}
	return restore(verdict)
}

// whole makes a call and reads all of its answer, which may be needed again and whose connection ends with ctx.
// When WeChat's verdict is known and its body cannot be carried, both the answer without the body and an error
// are there.
func (o *Caller) whole(ctx context.Context, c forward.Call) (*forward.Answer, error) {
	answer, err := o.Forwarder.Do(ctx, c)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := ReadAll(ctx, answer.Body)
	read := *answer
	read.Body, read.BodyOmitted = content(body), err != nil
	return &read, err
}

// memory is the body of an answer that was read already.
type memory struct {
	*bytes.Reader

	all []byte
}

// Close implements io.Closer.
func (memory) Close() error { return nil }

func content(body []byte) io.ReadCloser { return memory{bytes.NewReader(body), body} }

// ReadAll reads the body of an answer that has to be in memory.
func ReadAll(ctx context.Context, body io.Reader) ([]byte, error) {
	if m, ok := body.(memory); ok {
		return m.all, nil
	}
	all, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("read answer: %w", ctx.Err())
	case err != nil:
		return nil, fault.Wrap(fault.Deadline, errAnswerCut, "WeChat's answer ended early; the call was carried out")
	case len(all) > maxAnswer:
		return nil, fault.New(fault.Invalid, "WeChat's answer is longer than %d bytes, which one message cannot carry; use Download or the HTTP pass-through", maxAnswer)
	}
	return all, nil
}

var errAnswerCut = errors.New("answer ended early")

// outcomeOf decides what a call leaves behind. The answer is nil when there is no verdict.
func outcomeOf(answer *forward.Answer, err error) idempotency.Outcome {
	switch {
	case answer != nil && final(answer.Code):
		return idempotency.Kept
	case answer != nil, forward.NotSent(err):
		return idempotency.Undone
	}
	return idempotency.Uncertain
}

// final reports whether a verdict stands however often the call is repeated. Those that do not say that
// WeChat did nothing, for a reason that passes or that an operator can mend. An error of HTTP without a
// verdict is final as well: a front end that fails may have passed the call on.
func final(code errcode.Code) bool {
	switch code.Class() {
	case errcode.OK, errcode.Unknown, errcode.InvalidRequest, errcode.WindowClosed:
		return true
	case errcode.Busy, errcode.TokenRejected, errcode.RateLimited, errcode.QuotaExhausted,
		errcode.SecretRejected, errcode.IPNotAllowed, errcode.Unauthorized:
		return false
	}
	return true
}

// keepable returns an answer in the form in which it is kept, without a body that is too long for that.
func keepable(a *forward.Answer) ([]byte, error) {
	record := &apiproxyv1.CallResponse{
		HttpStatus:  int32(a.Status), //nolint:gosec // net/http bounds a status to three digits.
		ContentType: strings.ToValidUTF8(a.Header.Get("Content-Type"), "?"),
		Errcode:     int32(a.Code), //nolint:gosec // WeChat's codes have at most seven digits.
		Errmsg:      strings.ToValidUTF8(a.Message, "?"),
		BodyOmitted: a.BodyOmitted,
	}
	if m, ok := a.Body.(memory); ok && len(m.all) <= maxKept {
		record.Body = m.all
	} else {
		record.BodyOmitted = true
	}
	kept, err := proto.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("keep verdict: %w", err)
	}
	return kept, nil
}

func restore(verdict []byte) (*forward.Answer, error) {
	record := &apiproxyv1.CallResponse{}
	if err := proto.Unmarshal(verdict, record); err != nil {
		return nil, fmt.Errorf("kept verdict: %w", err)
	}
	header := http.Header{"Content-Length": {strconv.Itoa(len(record.GetBody()))}}
	if record.GetContentType() != "" {
		header.Set("Content-Type", record.GetContentType())
	}
	return &forward.Answer{
		Status: int(record.GetHttpStatus()), Header: header, Body: content(record.GetBody()),
		Code: errcode.Code(record.GetErrcode()), Message: record.GetErrmsg(), BodyOmitted: record.GetBodyOmitted(),
	}, nil
}

// keyField names the key in errors.
const keyField = "field idempotency_key (header Idempotency-Key)"

// checkKey bounds what becomes part of a name in Redis.
func checkKey(key string) error {
	if len(key) > idempotency.MaxKeyBytes {
		return fault.New(fault.Invalid, keyField+": %d bytes, but %d are the most", len(key), idempotency.MaxKeyBytes)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return fault.New(fault.Invalid, keyField+": byte %#02x at position %d; use printable ASCII characters without spaces", key[i], i)
		}
	}
	return nil
}
