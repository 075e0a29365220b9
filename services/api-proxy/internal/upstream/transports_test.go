package upstream

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxstack/wxstack/chassis/telemetry"
)

// A host that gets another address is followed although its connection is never idle, and the call that is
// under way on an old connection is not cut off.
func TestANewAddressOfAHostIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		rest := make(chan struct{})
		before := n.serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "old")
			if r.Header.Get("Slow") != "" {
				_ = http.NewResponseController(w).Flush()
				<-rest
				_, _ = io.WriteString(w, " rest")
			}
		})
		after := n.serve(t, say("new"))
		n.point("a:80", before)
		c := n.client(t, telemetry.Discard(), "http://a")
		slow := call()
		slow.Header.Set("Slow", "yes")
		download, err := c.Send(t.Context(), slow)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := text(t.Context(), c)
		n.point("a:80", after)
		var took time.Duration
		const step = idleLife / 2
		for ; got == "old" && took < 2*transportLife; took += step {
			time.Sleep(step)
			if got, err = text(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		if got != "new" || took > transportLife+step {
			t.Errorf("after %v the answer is from the %q address", took, got)
		}
		synctest.Wait()
		if alive := before.connections(); alive != 1 {
			t.Errorf("%d connections to the old address, want the busy one only", alive)
		}
		close(rest)
		body, err := io.ReadAll(download.Body)
		if err != nil || string(body) != "old rest" {
			t.Errorf("the call under way got %q, %v", body, err)
		}
		_ = download.Body.Close()
		synctest.Wait()
		if alive := before.connections(); alive != 0 {
			t.Errorf("%d connections to the old address after its last call", alive)
		}
	})
}

// A call that took the old transport just before it was replaced leaves no connection in it.
func TestALateUserOfAnOldTransportLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		s := n.serve(t, say("ok"))
		n.point("a:80", s)
		c := n.client(t, telemetry.Discard(), "http://a")
		old := c.transports.at(time.Now())
		time.Sleep(transportLife)
		if c.transports.at(time.Now()) == old {
			t.Fatal("the transport was not replaced")
		}
		resp, err := old.RoundTrip(newRequest(t.Context(), c.hosts.list[0].base, call()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		c.transports.release(old)
		synctest.Wait()
		if alive := s.connections(); alive != 0 {
			t.Errorf("%d connections", alive)
		}
	})
}

// TestConnectionsAndTLSSessionsAreReused counts handshakes: one for many calls, and a short one when the
// transport was replaced.
func TestConnectionsAndTLSSessionsAreReused(t *testing.T) {
	t.Parallel()
	// Its certificate is for example.com, and its client trusts it.
	secured := httptest.NewTLSServer(nil)
	t.Cleanup(secured.Close)
	roots := secured.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		s := n.serve(t, say("ok"))
		sessions := make(chan bool, 2) // whether it was resumed, for each handshake.
		s.wrap = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: secured.TLS.Certificates, VerifyConnection: func(state tls.ConnectionState) error {
			sessions <- state.DidResume
			return nil
		}}
		n.point("example.com:443", s)
		c := n.client(t, telemetry.Discard(), "https://example.com")
		c.transports.at(time.Now()).TLSClientConfig.RootCAs = roots // all transports share it.
		many := func() {
			for range 20 {
				if got, err := text(t.Context(), c); err != nil || got != "ok" {
					t.Fatalf("answer %q, %v", got, err)
				}
				time.Sleep(time.Second)
			}
		}
		many()
		if n.dialled() != 1 || <-sessions {
			t.Errorf("20 calls took %d connections, want 1", n.dialled())
		}
		time.Sleep(transportLife)
		many()
		if n.dialled() != 2 || !<-sessions {
			t.Errorf("after the replacement %d connections, want 2, the second with a resumed session", n.dialled())
		}
	})
}
