package rpc

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/wxstack/wxstack/chassis/config"
)

// Caller is what a call brings to show who makes it.
type Caller struct {
	// Key is the caller key, from the metadata "authorization: Bearer KEY"; its zero value when there is none.
	Key config.Secret
	// Names are those of the client's certificate, which mutual TLS has verified: the DNS names and URIs
	// that it is issued for, then its common name.
	Names []string
	// Address is where the call comes from, host and port; for people, because proxies stand in between.
	Address string
}

const (
	authorization = "authorization"
	bearer        = "bearer"
)

// CallerOf returns what the call that is being served brings.
func CallerOf(ctx context.Context) Caller {
	var c Caller
	if from, ok := peer.FromContext(ctx); ok {
		c.Address = from.Addr.String()
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			c.Names = namesOf(info.State.PeerCertificates[0])
		}
	}
	if values := metadata.ValueFromIncomingContext(ctx, authorization); len(values) > 0 {
		if scheme, key, _ := strings.Cut(values[0], " "); strings.EqualFold(scheme, bearer) {
			c.Key = config.NewSecret(strings.TrimSpace(key))
		}
	}
	return c
}

func namesOf(certificate *x509.Certificate) []string {
	names := slices.Clone(certificate.DNSNames)
	for _, uri := range certificate.URIs {
		names = append(names, uri.String())
	}
	if name := certificate.Subject.CommonName; name != "" && !slices.Contains(names, name) {
		names = append(names, name)
	}
	return names
}

// Admission decides whether a call may go on, and may give its context what handlers need to know of the
// caller. Its error is the answer of the call.
type Admission func(ctx context.Context) (context.Context, error)

// Admit makes a server ask at the start of every call. Health and reflection stay open: whoever watches a
// process or explores an API has no key.
func Admit(admit Admission) Option { return func(s *Server) { s.admit = admit } }

func admitAll(ctx context.Context) (context.Context, error) { return ctx, nil }

// open reports whether everybody may call a method.
func open(method string) bool {
	return strings.HasPrefix(method, "/"+healthv1.Health_ServiceDesc.ServiceName+"/") || strings.HasPrefix(method, "/grpc.reflection.")
}

func (s *Server) unaryAdmission(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if open(info.FullMethod) {
		return handler(ctx, req)
	}
	ctx, err := s.admit(ctx)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (s *Server) streamAdmission(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if open(info.FullMethod) {
		return handler(srv, stream)
	}
	ctx, err := s.admit(stream.Context())
	if err != nil {
		return err
	}
	return handler(srv, admittedStream{stream, ctx})
}

// admittedStream is a stream with the context that the admission gave.
type admittedStream struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // gRPC asks a stream for its context.
}

// Context implements grpc.ServerStream.
func (s admittedStream) Context() context.Context { return s.ctx }

// WithKey is an option of Dial that makes every call carry a caller key, as CallerOf reads it. Without
// mutual TLS it crosses the network in the clear, as do the answers.
func WithKey(key config.Secret) grpc.DialOption {
	return grpc.WithPerRPCCredentials(keyCredentials{key})
}

// KeyFromFile returns the option WithKey with the key that a file holds, or none for an empty path. setting names
// the file in errors.
func KeyFromFile(setting, path string) ([]grpc.DialOption, error) {
	if path == "" {
		return nil, nil
	}
	key, err := config.ReadSecret(setting, path)
	if err != nil {
		return nil, err
	}
	return []grpc.DialOption{WithKey(key)}, nil
}

type keyCredentials struct{ key config.Secret }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (c keyCredentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{authorization: "Bearer " + c.key.Reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: the warning about plaintext is given
// by the server, once, and does not depend on who calls.
func (keyCredentials) RequireTransportSecurity() bool { return false }
