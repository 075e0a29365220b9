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
	Endpoint(method string, t target.Target) endpoint.Endpoint
	Admit(ctx context.Context, c forward.Call) (forward.Call, error)
	Do(ctx context.Context, c forward.Call) (*forward.Answer, error)
}

// Server implements ApiProxyService.
type Server struct {
	apiproxyv1.UnimplementedApiProxyServiceServer

	calls      Caller
	ledger     Ledger
	allowances Allowances
	spoolDir   string
}

// New makes a Server. Uploads too long for memory are kept in spoolDir; empty means the system's folder for
// temporary files.
func New(calls Caller, ledger Ledger, allowances Allowances, spoolDir string) *Server {
	return &Server{calls: calls, ledger: ledger, allowances: allowances, spoolDir: spoolDir}
}

// Call forwards any JSON call.
func (s *Server) Call(ctx context.Context, req *apiproxyv1.CallRequest) (*apiproxyv1.CallResponse, error) {
	c, err := s.admitJSON(ctx, req, req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	return s.send(ctx, c, req.GetBody())
}

// jsonRequest is what Call and Download have in common.
type jsonRequest interface {
	GetAppId() string
	GetMethod() string
	GetPath() string
	GetBody() []byte
}

// admitJSON asks whether the caller may make a call with a JSON body or none.
func (s *Server) admitJSON(ctx context.Context, req jsonRequest, key string) (forward.Call, error) {
	method, err := methodOf(req)
	if err != nil {
		return forward.Call{}, err
	}
	t, err := target.Parse(req.GetPath())
	if err != nil {
		return forward.Call{}, fault.Wrap(fault.Invalid, err, "field path: %v", err)
	}
	c, err := s.calls.Admit(ctx, forward.Call{
		Caller: caller.FromContext(ctx), AppID: req.GetAppId(), Method: method, Target: t, Key: key,
	})
	if err == nil && c.Endpoint.Body != endpoint.JSON {
		err = fault.New(fault.Invalid, "field path: %s takes a file; use Upload", c.Endpoint.Path)
	}
	return c, err
}

// send makes a call that was admitted, with a JSON body or none, and reads all of its answer.
func (s *Server) send(ctx context.Context, c forward.Call, body []byte) (*apiproxyv1.CallResponse, error) {
	answer, err := s.do(ctx, c, body)
	if err != nil {
		return nil, err
	}
	return whole(ctx, answer)
}

// do makes a call that was admitted, with a JSON body or none.
func (s *Server) do(ctx context.Context, c forward.Call, body []byte) (*forward.Answer, error) {
	c.Header, c.Body = outgoing(), spool.Bytes(body)
	if len(body) > 0 {
		c.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return s.calls.Do(ctx, c)
}

// outgoing returns the headers that every call of this face has.
func outgoing() http.Header { return http.Header{"Accept-Encoding": {"identity"}, "User-Agent": nil} }

// whole reads all of an answer and closes it.
func whole(ctx context.Context, answer *forward.Answer) (*apiproxyv1.CallResponse, error) {
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
func methodOf(req jsonRequest) (string, error) {
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
