package upstream

import (
	"context"
	"io"
	"time"
)

// watched is the body of an answer that is given up when WeChat stands still. The time that the
// caller takes between two reads does not count.
type watched struct {
	body   io.ReadCloser
	timer  *time.Timer
	cancel context.CancelCauseFunc
	// release gives back what the request used.
	release func()
}

func newWatched(body io.ReadCloser, cancel context.CancelCauseFunc, release func()) *watched {
	timer := time.AfterFunc(stall, func() { cancel(errPatience) })
	timer.Stop()
	return &watched{body: body, timer: timer, cancel: cancel, release: release}
}

// Read reads on for as long as stall allows.
func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(stall)
	defer w.timer.Stop()
	return w.body.Read(p)
}

// Close ends the request.
func (w *watched) Close() error {
	err := w.body.Close()
	w.cancel(nil)
	w.release()
	return err
}
