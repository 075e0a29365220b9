package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ErrCutShort says that requests were still in flight when the time to finish them was over.
var ErrCutShort = errors.New("requests were cut short")

// ServeHTTP serves on lis until ctx is done. Then it accepts no more connections and lets requests in
// flight finish for grace at most; when that was not enough it closes them and returns ErrCutShort.
func ServeHTTP(ctx context.Context, server *http.Server, lis net.Listener, grace time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	select {
	case err := <-served:
		return fmt.Errorf("HTTP server on %s: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		err = errors.Join(fmt.Errorf("%w after %v: %w", ErrCutShort, grace, err), server.Close())
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
