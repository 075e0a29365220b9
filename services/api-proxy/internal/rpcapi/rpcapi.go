// Package rpcapi is the gRPC face: ApiProxyService. WeChat's verdict is data in its answers; only the
// proxy's own failures are RPC errors.
package rpcapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/custommessage"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

const (
	// maxAnswer keeps an answer under the 4 MiB that a gRPC client takes by default.
	maxAnswer = 4<<20 - 64<<10
	// sendPath is the API that sends customer-service messages (客服接口-发消息).
	sendPath = "/cgi-bin/message/custom/send"
)

// Forwarder makes calls.
type Forwarder interface {
	Admit(method string, t target.Target) (endpoint.Endpoint, error)
	Account(ctx context.Context, e endpoint.Endpoint, asked string) (string, error)
	Do(ctx context.Context, c forward.Call) (*forward.Answer, error)
}

// Guard makes the calls that carry an idempotency key, each once.
type Guard interface {
	Do(ctx context.Context, key idempotency.Key, request idempotency.Fingerprint, call idempotency.Call) ([]byte, error)
}

// Server implements ApiProxyService.
type Server struct {
	apiproxyv1.UnimplementedApiProxyServiceServer

	forwarder Forwarder
	guard     Guard
}

// New makes a Server.
func New(forwarder Forwarder, guard Guard) *Server {
	return &Server{forwarder: forwarder, guard: guard}
}

// Call forwards any JSON call.
func (s *Server) Call(ctx context.Context, req *apiproxyv1.CallRequest) (*apiproxyv1.CallResponse, error) {
	method, err := methodOf(req)
	if err != nil {
		return nil, err
	}
	t, err := target.Parse(req.GetPath())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "field path: %v", err)
	}
	e, err := s.forwarder.Admit(method, t)
	if err != nil {
		return nil, err
	}
	if e.Body != endpoint.JSON {
		return nil, fault.New(fault.Invalid, "%s takes an upload, which Call cannot carry; use the HTTP pass-through", e.Path)
	}
	return s.forward(ctx, call{
		endpoint: e, appID: req.GetAppId(), method: method, target: t, body: req.GetBody(), key: req.GetIdempotencyKey(),
	})
}

// SendCustomerServiceMessage sends a customer-service message (客服消息).
func (s *Server) SendCustomerServiceMessage(
	ctx context.Context, req *apiproxyv1.SendCustomerServiceMessageRequest,
) (*apiproxyv1.SendCustomerServiceMessageResponse, error) {
	reply, err := replyOf(req.GetMessage())
	if err != nil {
		return nil, err
	}
	body, err := custommessage.Marshal(req.GetToUser(), reply, req.GetKfAccount())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the message cannot be sent: %v", err)
	}
	c := call{
		appID: req.GetAppId(), method: http.MethodPost, target: target.Target{Path: sendPath}, body: body, key: req.GetIdempotencyKey(),
	}
	if c.endpoint, err = s.forwarder.Admit(c.method, c.target); err != nil {
		return nil, err
	}
	answer, err := s.forward(ctx, c)
	if err != nil {
		return nil, err
	}
	if answer.GetHttpStatus() != http.StatusOK && answer.GetErrcode() == 0 {
		// Not Unavailable: a client would send it again, and the follower might get it twice.
		return nil, fault.New(fault.Deadline, "WeChat answered HTTP %d without a verdict; the message may have been sent", answer.GetHttpStatus())
	}
	return &apiproxyv1.SendCustomerServiceMessageResponse{Errcode: answer.GetErrcode(), Errmsg: answer.GetErrmsg()}, nil
}

// call is a call of either method.
type call struct {
	endpoint endpoint.Endpoint
	appID    string
	method   string
	target   target.Target
	body     []byte
	key      string // the caller's idempotency key, or empty
}

// forward makes a call, at most once where it carries a key.
func (s *Server) forward(ctx context.Context, c call) (*apiproxyv1.CallResponse, error) {
	if err := checkKey(c.key); err != nil {
		return nil, err
	}
	// What is safe to repeat needs no record, and many of its answers, such as tickets (jsapi_ticket) and
	// followers' data, must not lie in Redis.
	if c.key == "" || c.endpoint.Repeat {
		resp, err := s.send(ctx, c)
		if err != nil {
			return nil, err
		}
		return resp, nil
	}
	return s.once(ctx, c)
}

// send makes a call. When WeChat's verdict is known and its body cannot be carried, both the answer
// without the body and an error are there.
func (s *Server) send(ctx context.Context, c call) (*apiproxyv1.CallResponse, error) {
	header := http.Header{"Accept-Encoding": {"identity"}, "User-Agent": nil}
	if len(c.body) > 0 {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	answer, err := s.forwarder.Do(ctx, forward.Call{AppID: c.appID, Method: c.method, Target: c.target, Header: header, Body: spool.Bytes(c.body)})
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	resp := &apiproxyv1.CallResponse{
		HttpStatus:  int32(answer.Status), //nolint:gosec // net/http bounds a status to three digits.
		ContentType: validUTF8(answer.Header.Get("Content-Type")),
		Errcode:     int32(answer.Code), //nolint:gosec // WeChat's codes have at most seven digits.
		Errmsg:      validUTF8(answer.Message),
	}
	resp.Body, err = read(ctx, answer.Body)
	resp.BodyOmitted = err != nil
	return resp, err
}

// read reads the body of an answer.
func read(ctx context.Context, body io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("read answer: %w", ctx.Err())
	case err != nil:
		return nil, fault.Wrap(fault.Deadline, errAnswerCut, "WeChat's answer ended early; the call was carried out")
	case len(content) > maxAnswer:
		return nil, fault.New(fault.Invalid, "WeChat's answer is longer than %d bytes, which Call cannot carry; use the HTTP pass-through", maxAnswer)
	}
	return content, nil
}

var errAnswerCut = errors.New("answer ended early")

// methodOf returns the method of a call: POST with a body and GET without, unless it is named.
func methodOf(req *apiproxyv1.CallRequest) (string, error) {
	switch method := req.GetMethod(); {
	case method == http.MethodGet, method == http.MethodPost:
		return method, nil
	case method != "":
		return "", fault.New(fault.Invalid, "field method: %.16q is neither GET nor POST", method)
	case len(req.GetBody()) > 0:
		return http.MethodPost, nil
	}
	return http.MethodGet, nil
}

// validUTF8 makes text from outside fit into a protobuf string.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}
