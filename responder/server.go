package responder

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

// Server offers a Handler as LogicService, in both of its ways: Reply, a call a message, and Converse, many
// questions in one call, which costs a third. Make one with NewServer and register it on a gRPC server, such
// as that of chassis/rpc.
type Server struct {
	logicv1.UnimplementedLogicServiceServer

	handler Handler
	// prompt is handler, if it is a PromptHandler.
	prompt PromptHandler
	log    *slog.Logger

	mu            sync.Mutex
	conversations map[*conversation]struct{}
	draining      bool
}

// NewServer makes a Server. Panics of the handler are logged and end only the question that caused them.
func NewServer(handler Handler, log *slog.Logger) *Server {
	prompt, _ := handler.(PromptHandler)
	return &Server{handler: handler, prompt: prompt, log: log, conversations: map[*conversation]struct{}{}}
}

// Reply asks the handler. A request without message, sender or type is refused as fault.Invalid.
func (s *Server) Reply(ctx context.Context, req *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	if err := check(req); err != nil {
		return nil, err
	}
	return s.handler.Reply(ctx, req)
}

// check spares handlers the requests that no gateway sends. A notice has neither sender nor type.
func check(req *logicv1.ReplyRequest) error {
	msg := req.GetMessage()
	switch {
	case msg == nil:
		return fault.New(fault.Invalid, "message is missing; set ReplyRequest.message")
	case msg.GetNotice() != nil:
		return nil
	case msg.GetFromUserName() == "":
		return fault.New(fault.Invalid, "message.from_user_name is empty; it names whom to answer")
	case msg.GetMsgType() == "":
		return fault.New(fault.Invalid, "message.msg_type is empty; set it to WeChat's MsgType")
	}
	return nil
}

// Converse answers the questions of one call until the caller closes its side: those that a PromptHandler
// answers at once together with others, each other one in a goroutine.
func (s *Server) Converse(stream grpc.BidiStreamingServer[logicv1.ConverseRequest, logicv1.ConverseResponse]) error {
	c := &conversation{server: s, stream: stream, cancels: map[uint64]context.CancelFunc{}}
	// When the call breaks, so does its context, and with it the work.
	defer c.work.Wait()
	s.enter(c)
	defer s.leave(c)
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.hear(stream.Context(), in)
	}
}

// Drain asks the other sides of all conversations, and of those that still begin, to ask elsewhere. What
// they ask nevertheless is answered: each conversation ends when its caller closes it. Call it when the
// process is asked to stop, before the gRPC server stops.
func (s *Server) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for c := range s.conversations {
		c.work.Go(c.sayFarewell)
	}
}

func (s *Server) enter(c *conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conversations[c] = struct{}{}
	if s.draining {
		c.work.Go(c.sayFarewell)
	}
}

func (s *Server) leave(c *conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conversations, c)
}
