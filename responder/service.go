package responder

import (
	"context"
	"fmt"
	"net"

	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// Service is a Server at an address of its own, equipped as chassis/rpc does: health, reflection, metrics, TLS.
// Make one with Listen, and Run it; a program that needs nothing else is made by Main.
type Service struct {
	server  *rpc.Server
	lis     net.Listener
	replies *Server
}

// Listen binds the address at which the gateway asks for the handler's answers. Port 0 gets a free port, which Addr
// tells.
func Listen(ctx context.Context, addr string, handler Handler, tel *telemetry.Telemetry, files rpc.TLS) (*Service, error) {
	server, err := rpc.NewServer(tel, files)
	if err != nil {
		return nil, fmt.Errorf("gRPC server of LogicService: %w", err)
	}
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("gRPC listener of LogicService (LOGIC_LISTEN_ADDR): %w", err)
	}
	replies := NewServer(handler, tel.Log)
	logicv1.RegisterLogicServiceServer(server, replies)
	return &Service{server: server, lis: lis, replies: replies}, nil
}

// Addr returns the bound address.
func (s *Service) Addr() string { return s.lis.Addr().String() }

// Run serves until ctx is done. Then the gateways are told to ask elsewhere, and what they have asked is answered,
// for up to 15 s.
func (s *Service) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.replies.Drain)
	defer stop()
	return s.server.Run(ctx, s.lis)
}
