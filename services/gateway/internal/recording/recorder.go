// Package recording writes down what logic is asked, without what points to a person, so that it can be asked
// again elsewhere.
package recording

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/services/gateway/internal/replier"
	"github.com/wxstack/wxstack/services/gateway/internal/routing"
)

const (
	// maxWaiting is how many messages may wait to be written, and how many are written at once.
	maxWaiting = 1024
	// lookInterval is how soon it shows in the health that nothing is recorded any more.
	lookInterval = 5 * time.Second
	// component is the recording in the health.
	component = "recording"
	// fileMode lets nobody else read what followers wrote.
	fileMode = 0o600
)

// Recorder appends a line for each message to the file of its settings: a wxstack.logic.v1.ReplyRequest as
// JSON. The file is opened for as long as it takes to write what waits, so that it may be moved away at any time.
type Recorder struct {
	settings func() *routing.Record
	queue    chan entry
	redactor *redactor
	log      *slog.Logger
	health   *telemetry.Health

	recorded, dropped, failed prometheus.Counter
}

// entry is a message that waits to be written.
type entry struct {
	asked time.Time
	q     late.Question
	to    *routing.Record
}

// New returns a Recorder that looks at its settings with every message; nil records nothing. Nothing is written
// until Run runs.
func New(settings func() *routing.Record, tel *telemetry.Telemetry) *Recorder {
	outcomes := telemetry.Register(tel.Metrics, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_recorded_total",
		Help: "Messages for the recording: recorded, failed because the file could not be written, dropped because too many waited.",
	}, []string{"outcome"}))
	return &Recorder{
		settings: settings, queue: make(chan entry, maxWaiting), redactor: newRedactor(), log: tel.Log, health: tel.Health,
		recorded: outcomes.WithLabelValues("recorded"), failed: outcomes.WithLabelValues("failed"), dropped: outcomes.WithLabelValues("dropped"),
	}
}

// Asked is a late.Observer's. It never waits: what comes faster than it can be written is dropped.
func (r *Recorder) Asked(q late.Question) {
	to := r.settings()
	if !to.Covers(q.AppID) || q.In.Notice != nil { // Notices are about a platform's credentials.
		return
	}
	select {
	case r.queue <- entry{asked: time.Now(), q: q, to: to}:
	default:
		r.dropped.Inc()
	}
}

// Run writes until ctx is done, and then what is left.
func (r *Recorder) Run(ctx context.Context) error {
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if r.settings() == nil {
				r.health.Component(component).Remove() // what it was down for concerns nobody any more.
			}
		case first := <-r.queue:
			r.write(r.gather(first))
		case <-ctx.Done():
			for len(r.queue) > 0 {
				r.write(r.gather(<-r.queue))
			}
			return nil
		}
	}
}

// gather returns what waits, up to where the settings change.
func (r *Recorder) gather(first entry) batch {
	b := batch{to: first.to}
	r.add(&b, first)
	for b.count < maxWaiting {
		select {
		case next := <-r.queue:
			if next.to != b.to {
				r.write(b)
				b = batch{to: next.to}
			}
			r.add(&b, next)
		default:
			return b
		}
	}
	return b
}

// batch is what is written at once.
type batch struct {
	to    *routing.Record
	lines bytes.Buffer
	count int
}

func (r *Recorder) add(b *batch, e entry) {
	line, err := r.line(e)
	if err != nil {
		r.failed.Inc()
		r.log.Error("a message could not be recorded", "app_id", e.q.AppID, "error", err)
		return
	}
	b.lines.Write(line)
	b.count++
}

// line writes a message, and a line end.
func (r *Recorder) line(e entry) (line []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	question := replier.Request(e.q.AppID, e.q.In, e.q.DeliveryEnds.Sub(e.asked), e.q.BudgetEnds.Sub(e.asked))
	r.redactor.redact(question, e.to.Texts)
	return encode(question)
}

// encode makes a line of a question.
func encode(question *logicv1.ReplyRequest) ([]byte, error) {
	loose, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	var line bytes.Buffer // protojson puts blanks at random, so that nobody relies on them.
	if err := json.Compact(&line, loose); err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	line.WriteByte('\n')
	return line.Bytes(), nil
}

// write appends a batch. What cannot be written is lost, and shows in health and metrics.
func (r *Recorder) write(b batch) {
	if b.count == 0 {
		return
	}
	err := appendTo(b.to.File, b.lines.Bytes(), b.to.MaxBytes)
	if err != nil {
		err = fmt.Errorf("messages are not recorded; see that the folder is there, writable and not full, or take record out of the routes file: %w", err)
		r.failed.Add(float64(b.count))
	} else {
		r.recorded.Add(float64(b.count))
	}
	r.health.Component(component).Report(err)
}

// appendTo appends whole lines or none. A file that would grow beyond maxBytes is renamed before, to path.1.
func appendTo(path string, lines []byte, maxBytes int64) (err error) {
	if info, err := os.Stat(path); err == nil && info.Size() > 0 && info.Size()+int64(len(lines)) > maxBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return fmt.Errorf("begin a new file: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Chmod(fileMode); err != nil { // it may have been there before.
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := file.Write(lines); err != nil {
		// Half a line would spoil the next one.
		return errors.Join(err, file.Truncate(info.Size()))
	}
	return nil
}
