package lifecycle_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wxstack/wxstack/chassis/lifecycle"
)

func TestServeHTTPLetsRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		grace    time.Duration
		finishes bool
	}{
		"enough time": {time.Minute, true},
		"no time":     {time.Millisecond, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered, release := make(chan struct{}), make(chan struct{})
			server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(entered)
				<-release
				w.WriteHeader(http.StatusNoContent)
			})}
			var lc net.ListenConfig
			lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			stopped, answered := make(chan error, 1), make(chan error, 1)
			go func() { stopped <- lifecycle.ServeHTTP(ctx, server, lis, tt.grace) }()
			go func() { answered <- get("http://" + lis.Addr().String()) }()
			<-entered
			cancel()
			if tt.finishes {
				close(release)
			} else {
				defer close(release)
			}
			if err := <-stopped; errors.Is(err, lifecycle.ErrCutShort) == tt.finishes {
				t.Errorf("stopped with %v", err)
			}
			if err := <-answered; (err == nil) != tt.finishes {
				t.Errorf("the request in flight ended with %v", err)
			}
		})
	}
}

func get(url string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
