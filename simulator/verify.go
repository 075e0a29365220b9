package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// VerifyResult tells how an account's server answered the URL verification
// (验证消息的确来自微信服务器).
type VerifyResult struct {
	Account      string  `json:"account"`
	OK           bool    `json:"ok"`
	Reason       string  `json:"reason"`
	Status       int     `json:"status"`
	DurationMS   float64 `json:"duration_ms"`
	RequestURL   string  `json:"request_url"`
	ResponseBody string  `json:"response_body"`
}

// Verify asks the account's callback URL to prove itself, as the console does when
// an operator saves the server configuration. It is the same in all modes.
func (p *Platform) Verify(ctx context.Context, appID string) (VerifyResult, error) {
	asked, err := p.challenge(appID)
	if err != nil {
		return VerifyResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.Delivery.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, asked.url, http.NoBody)
	if err != nil {
		return VerifyResult{}, fmt.Errorf("build request: %w", err)
	}
	request.Header.Set("User-Agent", userAgent)
	started := time.Now()
	got, err := exchange(p.fresh, request)
	result := VerifyResult{
		Account: asked.account, Status: got.status, DurationMS: milliseconds(time.Since(started)),
		RequestURL: asked.url, ResponseBody: capture(got.body),
	}
	switch {
	case err != nil:
		result.Reason = p.whyLost(err).En
	case got.status != http.StatusOK:
		result.Reason = fmt.Sprintf("HTTP status is %d, must be 200", got.status)
	case string(got.body) != asked.echo:
		result.Reason = "token验证失败: the body must be exactly " + asked.echo
	default:
		result.OK, result.Reason = true, "the body is exactly the echostr"
	}

	return result, nil
}

// challenge is a URL verification on its way to an account.
type challenge struct {
	account, url, echo string
}

// challenge makes a new one for the account of that AppID, or the first account.
func (p *Platform) challenge(appID string) (challenge, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return challenge{}, err
	}
	if account.CallbackURL == "" {
		return challenge{}, fmt.Errorf("%w: account %q has %w, set it first", ErrInvalid, account.AppID, errNoCallback)
	}
	query := newSignedQuery(account.CallbackToken)
	echo := strconv.FormatUint(rand.Uint64(), 10) //nolint:gosec // A challenge, not a secret.
	query.values.Set("echostr", echo)
	target, err := query.url(account.CallbackURL)

	return challenge{account: account.AppID, url: target, echo: echo}, err
}
