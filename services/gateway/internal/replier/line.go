package replier

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/fault"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
)

type stream = grpc.BidiStreamingClient[logicv1.ConverseRequest, logicv1.ConverseResponse]

// line is one Converse call, on which many ask. What they ask while a message is written goes into the
// next one.
type line struct {
	stream stream
	// retired is told when the line takes no more questions.
	retired func(*line)
	// wake, of capacity 1, tells the writer that there is something to do.
	wake chan struct{}

	mu sync.Mutex
	// closed says that the line takes no more questions.
	closed    bool
	lastID    uint64
	asked     map[uint64]func(result)
	questions []*logicv1.Question
	cancelled []uint64
}

// result is what came of a question.
type result struct {
	response *logicv1.ReplyResponse
	err      error
}

// errNotAsked says that logic has not seen the question, so that it can be asked elsewhere at once.
var errNotAsked = errors.New("not asked on this line")

func newLine(s stream, retired func(*line)) *line {
	return &line{stream: s, retired: retired, wake: make(chan struct{}, 1), asked: map[uint64]func(result){}}
}

// ask asks on the line and waits for the answer until ctx ends. Its errors are those of a Reply call, and
// errNotAsked. If the line breaks the error is a fault.Unavailable.
func (l *line) ask(ctx context.Context, request *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
	until, _ := ctx.Deadline()
	came := make(chan result, 1)
	id, ok := l.begin(request, until, func(r result) { came <- r })
	if !ok {
		return nil, errNotAsked
	}
	select {
	case got := <-came:
		return got.response, got.err
	case <-ctx.Done():
		l.cancel(id)
		return nil, fault.Wrap(fault.Deadline, ctx.Err(), "logic did not answer in time")
	}
}

// begin asks on the line, tells logic until when the answer is wanted, if there is a limit, and returns at
// once. It reports whether the line takes questions. The function came is called with what comes of it, and
// must not wait; it is not called after cancel.
func (l *line) begin(request *logicv1.ReplyRequest, until time.Time, came func(result)) (id uint64, ok bool) {
	question := &logicv1.Question{Request: request}
	if !until.IsZero() {
		question.TimeLeft = durationpb.New(time.Until(until))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, false
	}
	l.lastID++
	question.Id = l.lastID
	l.asked[question.GetId()] = came
	l.questions = append(l.questions, question)
	if len(l.questions) == 1 {
		l.nudge()
	}
	return question.GetId(), true
}

// cancel forgets a question and has logic told.
func (l *line) cancel(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.asked[id]; ok {
		delete(l.asked, id)
		l.cancelled = append(l.cancelled, id)
		l.nudge()
	}
}

// nudge wakes the writer.
func (l *line) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it has been told already.
	}
}

// serve runs the line until its call ends and returns why, nil for in order. Call abandon after it.
func (l *line) serve() error {
	life := time.AfterFunc(lineLife, l.retire)
	defer life.Stop()
	ended := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { l.write(ended) })
	err := l.read()
	close(ended)
	writer.Wait()
	return err
}

// write sends what is asked until the line is done.
func (l *line) write(ended <-chan struct{}) {
	for {
		select {
		case <-l.wake:
			// Whoever is about to ask, asks first: one message then serves them all.
			runtime.Gosched()
		case <-ended:
			return
		}
		out, done := l.next()
		if out != nil {
			_ = l.stream.Send(out) // a broken call shows in read.
		}
		if done {
			_ = l.stream.CloseSend()
			<-ended
			return
		}
	}
}

// next returns the message to send, nil if there is none, and whether it is the last: the line is retired
// and has all its answers.
func (l *line) next() (out *logicv1.ConverseRequest, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.questions) > 0 || len(l.cancelled) > 0 {
		out = &logicv1.ConverseRequest{Questions: l.questions, Cancelled: l.cancelled}
		l.questions, l.cancelled = nil, nil
	}
	return out, l.closed && len(l.asked) == 0
}

// retire lets the line take no more questions; those that were asked get their answers.
func (l *line) retire() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.nudge()
	l.retired(l)
}

// read hands out the answers until the call ends.
func (l *line) read() error {
	for {
		in, err := l.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		l.hear(in.GetAnswers())
		if in.GetDraining() {
			l.retire()
		}
	}
}

func (l *line) hear(answers []*logicv1.Answer) {
	for i, came := range l.answered(answers) {
		if came != nil { // otherwise it was cancelled.
			came(resultOf(answers[i]))
		}
	}
}

// answered returns whom to tell of each answer, and forgets the questions.
func (l *line) answered(answers []*logicv1.Answer) []func(result) {
	tell := make([]func(result), len(answers))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, answer := range answers {
		tell[i] = l.asked[answer.GetId()]
		delete(l.asked, answer.GetId())
	}
	if l.closed && len(l.asked) == 0 {
		l.nudge()
	}
	return tell
}

// abandon ends the questions that will get no answer on this line, because its call has ended with err.
func (l *line) abandon(err error) {
	l.retire()
	reason := error(fault.Wrap(fault.Unavailable, err, "the call to logic broke before the answer"))
	switch {
	case status.Code(err) == codes.Unimplemented:
		reason = errNotAsked
	case err == nil:
		reason = fault.New(fault.Unavailable, "logic ended the call without an answer")
	}
	l.mu.Lock()
	left := l.asked
	l.asked = map[uint64]func(result){}
	l.mu.Unlock()
	for _, came := range left {
		came(result{err: reason})
	}
}

// resultOf reads an answer.
func resultOf(answer *logicv1.Answer) result {
	switch got := answer.GetResult().(type) {
	case *logicv1.Answer_Response:
		return result{response: got.Response}
	case *logicv1.Answer_Failure:
		f := got.Failure
		code := codes.Code(f.GetCode()) //nolint:gosec // an unknown code counts as internal.
		return result{err: fault.Received(code, f.GetMessage(), f.GetReason(), f.GetRetryAfter().AsDuration())}
	default:
		return result{err: fault.New(fault.Invalid, "logic answered in a form that this gateway does not know, update the gateway")}
	}
}
