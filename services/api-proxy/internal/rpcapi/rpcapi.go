// Package rpcapi is the gRPC face: ApiProxyService. WeChat's verdict is data in its answers; only the
// proxy's own failures are RPC errors.
package rpcapi

import (
	"context"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/once"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// Caller makes calls.
type Caller interface {
	Admit(ctx context.Context, c forward.Call) (forward.Call, error)
	Do(ctx context.Context, c forward.Call) (*forward.Answer, error)
}

// Server implements ApiProxyService.
type Server struct {
	apiproxyv1.UnimplementedApiProxyServiceServer

	calls      Caller
	allowances Allowances
}

// New makes a Server.
func New(calls Caller, allowances Allowances) *Server {
	return &Server{calls: calls, allowances: allowances}
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
	c, err := s.calls.Admit(ctx, forward.Call{
		Caller: caller.FromContext(ctx), AppID: req.GetAppId(), Method: method, Target: t, Key: req.GetIdempotencyKey(),
	})
	if err != nil {
		return nil, err
	}
	if c.Endpoint.Body != endpoint.JSON {
		return nil, fault.New(fault.Invalid, "%s takes an upload, which Call cannot carry; use the HTTP pass-through", c.Endpoint.Path)
	}
	return s.send(ctx, c, req.GetBody())
}

// send makes a call that was admitted and reads all of its answer.
func (s *Server) send(ctx context.Context, c forward.Call, body []byte) (*apiproxyv1.CallResponse, error) {
	c.Header = http.Header{"Accept-Encoding": {"identity"}, "User-Agent": nil}
	if len(body) > 0 {
		c.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	c.Body = spool.Bytes(body)
	answer, err := s.calls.Do(ctx, c)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := once.ReadAll(ctx, answer.Body)
	if err != nil {
		return nil, err
	}
	return &apiproxyv1.CallResponse{
		HttpStatus:  int32(answer.Status), //nolint:gosec // net/http bounds a status to three digits.
		ContentType: validUTF8(answer.Header.Get("Content-Type")),
		Body:        content,
		Errcode:     int32(answer.Code), //nolint:gosec // WeChat's codes have at most seven digits.
		Errmsg:      validUTF8(answer.Message),
		BodyOmitted: answer.BodyOmitted,
	}, nil
}

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
