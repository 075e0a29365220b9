// Package jsonapi serves the methods of a gRPC server over plain HTTP, for curl and for languages without
// gRPC: POST /PACKAGE.SERVICE/METHOD with the request as JSON (the Connect protocol, connectrpc.com). The
// calls pass through the server's own interceptors, so identity, faults and metrics are the same.
package jsonapi

import (
	"fmt"
	"mime"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// maxBody is far more than a request with a token in it needs.
const maxBody = 64 << 10

// protocolVersion is the header by which a JSON request is known as one of the Connect protocol.
const protocolVersion = "Connect-Protocol-Version"

// NewHandler returns a handler for all services that are registered on server by now.
func NewHandler(server *grpc.Server) (http.Handler, error) {
	transcoder, err := vanguardgrpc.NewTranscoder(server, vanguard.WithCodec(newCodec))
	if err != nil {
		return nil, fmt.Errorf("HTTP for gRPC services: %w", err)
	}
	return http.MaxBytesHandler(assumeConnect(transcoder), maxBody), nil
}

// assumeConnect takes JSON for the Connect protocol, because nothing else here speaks JSON, and a person
// with curl should not be told 404 for a header that nobody remembers.
func assumeConnect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err == nil && media == "application/json" && r.Header.Get(protocolVersion) == "" {
			r.Header.Set(protocolVersion, "1")
		}
		next.ServeHTTP(w, r)
	})
}

// codec is the transcoder's JSON, but a request that it cannot read is the caller's fault, and a field that
// the contract does not have is refused: with appid for app_id a caller would get another account's token.
type codec struct{ *vanguard.JSONCodec }

func newCodec(types vanguard.TypeResolver) vanguard.Codec {
	c := codec{vanguard.NewJSONCodec(types)}
	c.MarshalOptions.EmitUnpopulated = false
	c.UnmarshalOptions.DiscardUnknown = false
	return c
}

// Unmarshal implements vanguard.Codec.
func (c codec) Unmarshal(data []byte, msg proto.Message) error {
	if err := c.JSONCodec.Unmarshal(data, msg); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("the body is not a %s in JSON: %w", msg.ProtoReflect().Descriptor().FullName(), err))
	}
	return nil
}
