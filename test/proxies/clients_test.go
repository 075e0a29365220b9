package proxies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/account"
)

// call is one call of a caller's.
type call struct {
	caller string // its name in the callers file
	appID  string // empty: the first account
	says   string // what a template message says; empty for a read
	key    string // idempotency key
}

// send is a template message that says something which no other does.
func send(caller, says string) call { return call{caller: caller, says: says} }

// read is a call that is safe to repeat.
func read(caller string) call { return call{caller: caller} }

func (c call) account() string {
	if c.appID == "" {
		return account.DevelopmentAppID
	}
	return c.appID
}

// outcome is what a caller learns of a call.
type outcome string

const (
	// done: WeChat did it.
	done outcome = "done"
	// throttled: a limit of ours refused it.
	throttled outcome = "throttled"
	// away: nobody answered, or somebody who could not. Callers who may repeat do.
	away outcome = "away"
	// pending: it is still being made, so that the repeat of a call with a key has to come later.
	pending outcome = "pending"
	// unknown: an earlier attempt with the same key may have been carried out, and there will be no other.
	unknown outcome = "unknown"
	// wrong: what may not happen.
	wrong outcome = "wrong"
)

// result is an outcome with the time to wait, and what was said.
type result struct {
	outcome
	after  time.Duration
	detail string
}

func (r result) String() string {
	return fmt.Sprintf("%s (retry after %v): %s", r.outcome, r.after, r.detail)
}

// client makes calls over one of the two faces.
type client interface {
	do(ctx context.Context, c call) result
}

// httpClient calls as any HTTP client does, at an edge or at a replica.
type httpClient struct {
	*http.Client

	base string
}

func newHTTP(t *testing.T, base string) *httpClient {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	// Longer than the ten seconds in which a dead replica is found out.
	return &httpClient{&http.Client{Transport: transport, Timeout: 20 * time.Second}, base}
}

func (h *httpClient) do(ctx context.Context, c call) result {
	method, path, body := http.MethodGet, readPath, ""
	if c.says != "" {
		method, path, body = http.MethodPost, sendPath, bodyOf(c.says)
	}
	req, err := http.NewRequestWithContext(ctx, method, h.base+path, strings.NewReader(body))
	if err != nil {
		return result{wrong, 0, err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+keyOf(c.caller))
	req.Header.Set("X-Wx-Appid", c.account())
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	resp, err := h.Do(req)
	if err != nil {
		return result{away, 0, err.Error()}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return result{away, 0, err.Error()}
	}
	return judgeHTTP(resp, answer)
}

// judgeHTTP reads an answer as docs/callers.md tells callers to.
func judgeHTTP(resp *http.Response, body []byte) result {
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	r := result{wrong, time.Duration(seconds) * time.Second, resp.Status + " " + string(body)}
	verdict := struct {
		ErrCode int `json:"errcode"`
	}{}
	ours := json.Unmarshal(body, &verdict) == nil
	switch {
	case resp.StatusCode == http.StatusOK && ours && verdict.ErrCode == 0:
		r.outcome = done
	case resp.StatusCode == http.StatusTooManyRequests:
		r.outcome = throttled
	case resp.StatusCode == http.StatusGatewayTimeout && ours && seconds == 0:
		r.outcome = unknown
	case resp.StatusCode == http.StatusGatewayTimeout && ours:
		r.outcome = pending
	case resp.StatusCode >= http.StatusBadGateway && resp.StatusCode <= http.StatusGatewayTimeout:
		r.outcome = away
	}
	return r
}

// grpcClient calls over gRPC.
type grpcClient struct {
	api     apiproxyv1.ApiProxyServiceClient
	timeout time.Duration
}

// newGRPC connects to addresses, as to the replicas behind a name, with a service config.
func newGRPC(t *testing.T, serviceConfig string, addrs ...string) *grpcClient {
	t.Helper()
	behind := manual.NewBuilderWithScheme("replicas")
	var state resolver.State
	for _, addr := range addrs {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: addr})
	}
	behind.InitialState(state)
	conn, err := grpc.NewClient("replicas:///api-proxy", grpc.WithResolvers(behind), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &grpcClient{apiproxyv1.NewApiProxyServiceClient(conn), 3 * time.Second}
}

func (g *grpcClient) do(ctx context.Context, c call) result {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+keyOf(c.caller)), g.timeout)
	defer cancel()
	req := &apiproxyv1.CallRequest{AppId: c.account(), Path: readPath, IdempotencyKey: c.key}
	if c.says != "" {
		req.Path, req.Body = sendPath, []byte(bodyOf(c.says))
	}
	resp, err := g.api.Call(ctx, req)
	if err != nil {
		return judgeGRPC(err)
	}
	if resp.GetErrcode() != 0 {
		return result{wrong, 0, resp.String()}
	}
	return result{done, 0, ""}
}

// judgeGRPC reads an error as docs/callers.md tells callers to.
func judgeGRPC(err error) result {
	st := status.Convert(err)
	r, ours := result{wrong, 0, err.Error()}, false
	for _, detail := range st.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			ours = detail.GetDomain() == "wxstack"
		case *errdetails.RetryInfo:
			r.after = detail.GetRetryDelay().AsDuration()
		}
	}
	switch {
	case st.Code() == codes.ResourceExhausted && ours:
		r.outcome = throttled
	case st.Code() == codes.Unavailable:
		r.outcome = away
	case st.Code() == codes.DeadlineExceeded && ours && r.after == 0:
		r.outcome = unknown
	case st.Code() == codes.DeadlineExceeded:
		r.outcome = pending
	}
	return r
}

// persist makes a call until it is settled, pausing as it is told to or a little, and returns how often.
func persist(ctx context.Context, cl client, c call) (r result, attempts int, first time.Time) {
	for attempts = 1; ; attempts++ {
		r = cl.do(ctx, c)
		if attempts == 1 {
			first = time.Now()
		}
		if r.outcome == done || r.outcome == unknown || r.outcome == wrong || attempts == mostAttempts {
			return r, attempts, first
		}
		if pause(ctx, max(r.after, shortPause)) != nil {
			return r, attempts, first
		}
	}
}

const (
	mostAttempts = 60
	shortPause   = 50 * time.Millisecond
)

var errOver = errors.New("the test is over")

// pause is the pace of a caller.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return errOver
	case <-timer.C:
		return nil
	}
}

// mixed returns clients of single replicas, in turn, over HTTP and gRPC.
func (w *world) mixed(count int) []client {
	w.t.Helper()
	all := make([]client, count)
	for i := range all {
		replica := w.proxies[i/2%len(w.proxies)]
		if all[i] = newHTTP(w.t, "http://"+replica.Addr); i%2 == 1 {
			all[i] = newGRPC(w.t, "{}", replica.GRPCAddr)
		}
	}
	return all
}
