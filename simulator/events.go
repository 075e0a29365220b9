package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// streamPause keeps a page from re-reading faster than eyes can follow.
	streamPause = 100 * time.Millisecond
	// streamHeartbeat keeps proxies from closing a quiet stream.
	streamHeartbeat = 15 * time.Second
)

// changeEvent says which parts of the state changed, and whose state it is: that of the platform which started then, by
// which a page knows that it has reconnected to another one.
type changeEvent struct {
	Changed []topic `json:"changed"`
	Started int64   `json:"started"` // Unix milliseconds.
}

// serveEvents streams which parts of the state changed, as server-sent events.
// The first event names everything, so that a page that reconnects is up to date.
func (p *Platform) serveEvents(w http.ResponseWriter, r *http.Request) {
	watcher, stop := p.watch()
	defer stop()
	controller := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	changed := []topic{topicCalls, topicChat, topicLoad, topicPushes, topicState}
	heartbeat := time.NewTicker(streamHeartbeat)
	defer heartbeat.Stop()
	for {
		if err := writeEvent(w, controller, changeEvent{Changed: changed, Started: p.started.UnixMilli()}); err != nil {
			return // The page is gone.
		}
		changed = nil
		select {
		case <-watcher.wake:
			pause(r.Context(), streamPause)
			changed = p.changed(watcher)
		case <-heartbeat.C:
		case <-r.Context().Done():
			return
		case <-p.closing:
			return
		}
	}
}

// writeEvent sends the topics, or a comment when there are none.
func writeEvent(w http.ResponseWriter, controller *http.ResponseController, event changeEvent) error {
	text := ": still here\n\n"
	if len(event.Changed) > 0 {
		data, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		text = "event: change\ndata: " + string(data) + "\n\n"
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := controller.Flush(); err != nil {
		return fmt.Errorf("flush event: %w", err)
	}

	return nil
}
