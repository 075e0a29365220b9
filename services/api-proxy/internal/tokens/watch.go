package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

const (
	// The pause before the watch stream is opened again: short at first, because token-center ends
	// every connection now and then so that clients spread over its replicas.
	firstPause  = 50 * time.Millisecond
	longestWait = 5 * time.Second
	// listTimeout bounds the question which accounts exist.
	listTimeout = 3 * time.Second
)

// Run keeps the watch stream open until ctx is done.
func (c *Cache) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstPause, longestWait
	for {
		begun := time.Now()
		opened, err := c.watch(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the stream ended because the process stops.
		}
		if time.Since(begun) > longestWait {
			pause.Reset()
		}
		if !opened {
			c.center.Report(fmt.Errorf("%w; the last known tokens stay in use", err))
		}
		c.reportReady()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// watch opens the stream once and reads it to its end. It reports whether token-center could be
// reached at all; an end after that is ordinary.
func (c *Cache) watch(ctx context.Context) (opened bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.list(ctx); err != nil {
		return false, err
	}
	stream, err := c.client.WatchToken(ctx,
		&tokenv1.WatchTokenRequest{Kind: tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN}, grpc.WaitForReady(false))
	if err != nil {
		return false, fmt.Errorf("watch tokens: %w", brief(err))
	}
	c.center.Report(nil)
	for {
		resp, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				c.log.DebugContext(ctx, "watch stream ended", "error", brief(err))
			}
			return true, fmt.Errorf("watch tokens: %w", brief(err))
		}
		if _, err := c.accept(resp.GetToken()); err != nil {
			c.log.WarnContext(ctx, "token ignored", "error", err)
		}
	}
}

// list learns which accounts exist. An account that is gone is forgotten with its token.
func (c *Cache) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	resp, err := c.client.ListAccounts(ctx, &tokenv1.ListAccountsRequest{}, grpc.WaitForReady(false))
	if err != nil {
		return fmt.Errorf("list accounts: %w", brief(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	current := make(map[string]*account, len(resp.GetAccounts()))
	for _, a := range resp.GetAccounts() {
		if !callable(a) {
			continue
		}
		if known, ok := c.accounts[a.GetAppId()]; ok {
			current[a.GetAppId()] = known
		} else {
			current[a.GetAppId()] = &account{}
		}
	}
	c.accounts, c.listed = current, true
	return nil
}

// callable reports whether calls can be made for an account: those of WeChat Work have tokens for other hosts.
func callable(a *tokenv1.Account) bool {
	return len(a.GetTokens()) == 0 || slices.ContainsFunc(a.GetTokens(), func(s *tokenv1.TokenStatus) bool {
		return s.GetKind() == tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN
	})
}

// reportReady tells health whether any account has a token that WeChat should accept.
func (c *Cache) reportReady() {
	now := time.Now()
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, a := range c.accounts {
		if a.token.Valid(now) {
			c.ready.Report(nil)
			return
		}
	}
	c.ready.Report(errNoToken)
}

// brief cuts an error of a call down to what the other side said; the library repeats that several
// times over.
func brief(err error) error {
	if said, ok := errors.AsType[*fault.Error](fault.FromStatus(err)); ok {
		return fault.New(said.Kind(), "%s", said.Message())
	}
	return err
}
