package rpc_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
)

type admittedKey struct{}

// doorman admits whoever has the key and passes on what it saw.
func doorman(ctx context.Context) (context.Context, error) {
	caller := rpc.CallerOf(ctx)
	if caller.Key.Reveal() != "open sesame" {
		return nil, fault.New(fault.Unauthenticated, "no key, no call")
	}
	return context.WithValue(ctx, admittedKey{}, caller), nil
}

func TestAdmissionKnowsTheKeyAndAsksForNoneOnHealthAndReflection(t *testing.T) {
	t.Parallel()
	var seen rpc.Caller
	probe := func(ctx context.Context) (*durationpb.Duration, error) {
		seen, _ = ctx.Value(admittedKey{}).(rpc.Caller)
		return &durationpb.Duration{}, nil
	}
	addr, _ := serve(t, "127.0.0.1:0", telemetry.Discard(), rpc.TLS{}, probe, rpc.Admit(doorman))
	with := dial(t, addr, rpc.TLS{}, rpc.Never, rpc.WithKey(config.NewSecret("open sesame")))
	if _, err := do(t.Context(), with); err != nil {
		t.Fatalf("a caller with the key got %v", err)
	}
	if len(seen.Names) > 0 || !strings.HasPrefix(seen.Address, "127.0.0.1:") {
		t.Errorf("the handler saw names %q at %q", seen.Names, seen.Address)
	}
	without := dial(t, addr, rpc.TLS{}, rpc.Never)
	if _, err := do(t.Context(), without); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("a caller without a key got %v", err)
	}
	if _, err := grpc_health_v1.NewHealthClient(without).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Errorf("health asks for a key: %v", err)
	}
	stream, err := reflectionv1.NewServerReflectionClient(without).ServerReflectionInfo(t.Context())
	if err == nil {
		err = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Errorf("reflection asks for a key: %v", err)
	}
}

func TestStreamsAreAdmittedAsCallsAre(t *testing.T) {
	t.Parallel()
	handler := func(_ any, stream grpc.ServerStream) error {
		if _, ok := stream.Context().Value(admittedKey{}).(rpc.Caller); !ok {
			return fault.New(fault.Internal, "the handler does not know its caller")
		}
		return stream.SendMsg(&durationpb.Duration{})
	}
	server, err := rpc.NewServer(telemetry.Discard(), rpc.TLS{}, rpc.Admit(doorman))
	if err != nil {
		t.Fatal(err)
	}
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Stream", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "Watch", Handler: handler, ServerStreams: true},
	}}, struct{}{})
	addr := run(t, server)
	for key, want := range map[string]fault.Kind{"open sesame": "", "open barley": fault.Unauthenticated} {
		conn := dial(t, addr, rpc.TLS{}, rpc.Never, rpc.WithKey(config.NewSecret(key)))
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/test.Stream/Watch")
		if err == nil {
			err = stream.CloseSend()
		}
		if err == nil {
			err = stream.RecvMsg(new(durationpb.Duration))
		}
		if (err == nil) != (want == "") || (err != nil && fault.KindOf(err) != want) {
			t.Errorf("with key %q the stream gave %v, want kind %q", key, err, want)
		}
	}
}

func TestTheNamesOfACertificateAreKnown(t *testing.T) {
	t.Parallel()
	house, seen := newCA(t), rpc.Caller{}
	addr, _ := serve(t, "127.0.0.1:0", telemetry.Discard(), house.issue(t, "server"), func(ctx context.Context) (*durationpb.Duration, error) {
		seen = rpc.CallerOf(ctx)
		return &durationpb.Duration{}, nil
	})
	if _, err := do(t.Context(), dial(t, addr, house.issue(t, "client"), rpc.Never)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"client.internal", "spiffe://house/client", "client"}; !slices.Equal(seen.Names, want) {
		t.Errorf("names = %q, want %q", seen.Names, want)
	}
}

func TestOnlyABearerKeyIsAKey(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc ": "abc", "Basic abc": "", "abc": "", "Bearer": "", "Bearer ": "",
	} {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", header))
		if got := rpc.CallerOf(ctx).Key.Reveal(); got != want {
			t.Errorf("%q gives the key %q, want %q", header, got, want)
		}
	}
}
