package rpcapi

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
)

// maxKept is how long a body may be that is kept for repeats. Answers to calls that change something are
// a few hundred bytes.
const maxKept = 64 << 10

// once makes a call that carries an idempotency key unless it was made already.
func (s *Server) once(ctx context.Context, c call) (*apiproxyv1.CallResponse, error) {
	if c.endpoint.Token == endpoint.None {
		return nil, fault.New(fault.Invalid, "field idempotency_key: %s belongs to no account, under which the key could be kept; leave it empty", c.endpoint.Path)
	}
	// The name that the caller left out is part of the key: all replicas have to find the same record.
	appID, err := s.forwarder.Account(ctx, c.endpoint, c.appID)
	if err != nil {
		return nil, err
	}
	c.appID = appID
	var made *apiproxyv1.CallResponse
	verdict, err := s.guard.Do(ctx, idempotency.Key{AppID: appID, Value: c.key}, fingerprint(c),
		func(ctx context.Context) ([]byte, idempotency.Outcome, error) {
			var sendErr error
			made, sendErr = s.send(ctx, c)
			outcome := outcomeOf(made, sendErr)
			if outcome != idempotency.Kept {
				return nil, outcome, sendErr
			}
			kept, err := keepable(made)
			if err != nil {
				return nil, idempotency.Uncertain, err
			}
			return kept, outcome, sendErr
		})
	if err != nil {
		return nil, err
	}
	if made != nil {
		return made, nil
	}
	resp := &apiproxyv1.CallResponse{}
	if err := proto.Unmarshal(verdict, resp); err != nil {
		return nil, fmt.Errorf("kept verdict: %w", err)
	}
	return resp, nil
}

// outcomeOf decides what a call leaves behind. The answer is nil when there is no verdict.
func outcomeOf(resp *apiproxyv1.CallResponse, err error) idempotency.Outcome {
	switch {
	case resp != nil && final(resp):
		return idempotency.Kept
	case resp != nil, forward.NotSent(err):
		return idempotency.Undone
	}
	return idempotency.Uncertain
}

// final reports whether a verdict stands however often the call is repeated. Those that do not say that
// WeChat did nothing, for a reason that passes or that an operator can mend. An error of HTTP without a
// verdict is final as well: a front end that fails may have passed the call on.
func final(resp *apiproxyv1.CallResponse) bool {
	switch errcode.Code(resp.GetErrcode()).Class() {
	case errcode.OK, errcode.Unknown, errcode.InvalidRequest, errcode.WindowClosed:
		return true
	case errcode.Busy, errcode.TokenRejected, errcode.RateLimited, errcode.QuotaExhausted,
		errcode.SecretRejected, errcode.IPNotAllowed, errcode.Unauthorized:
		return false
	}
	return true
}

// keepable returns an answer in the form in which it is kept, without a body that is too long for that.
func keepable(resp *apiproxyv1.CallResponse) ([]byte, error) {
	if len(resp.GetBody()) > maxKept {
		resp = &apiproxyv1.CallResponse{
			HttpStatus: resp.GetHttpStatus(), ContentType: resp.GetContentType(),
			Errcode: resp.GetErrcode(), Errmsg: resp.GetErrmsg(), BodyOmitted: true,
		}
	}
	kept, err := proto.Marshal(resp)
	if err != nil {
		return nil, fmt.Errorf("keep verdict: %w", err)
	}
	return kept, nil
}

// fingerprint covers what WeChat would see of a call, but not a token that a caller wrote into it.
func fingerprint(c call) idempotency.Fingerprint {
	return idempotency.FingerprintOf([]byte(c.method), []byte(c.target.WithToken("")), c.body)
}

// checkKey bounds what becomes part of a name in Redis.
func checkKey(key string) error {
	if len(key) > idempotency.MaxKeyBytes {
		return fault.New(fault.Invalid, "field idempotency_key: %d bytes, but %d are the most", len(key), idempotency.MaxKeyBytes)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return fault.New(fault.Invalid, "field idempotency_key: byte %#02x at position %d; use printable ASCII characters without spaces", key[i], i)
		}
	}
	return nil
}
