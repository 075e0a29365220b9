package simulator

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/examine"
)

// ExamineFinding is the outcome of one check of an account's server, in Chinese and English, with the remedy.
type ExamineFinding = examine.Finding

// Examination is what was found out about an account's server.
type Examination struct {
	Account  string           `json:"account"`
	OK       bool             `json:"ok"` // Whether there is no problem; notes don't count.
	Findings []ExamineFinding `json:"findings"`
}

// Examine finds out why an account's server isn't accepted (服务器配置验证失败), or how it would fail later: it asks for the
// URL verification and pushes a text in each of the modes, both also with a wrong signature, the last text twice. No modes
// means the account's own; use ExamineURL for the verification alone. The error is about the request itself, or ctx.
func (p *Platform) Examine(ctx context.Context, appID string, modes ...Mode) (Examination, error) {
	facts, account, err := p.examineURL(ctx, appID)
	if err != nil {
		return Examination{}, err
	}
	if len(modes) == 0 {
		modes = []Mode{account.Mode}
	}
	if facts.Right.Failure == "" {
		for position, mode := range modes {
			pushed, err := p.examinePush(ctx, account.AppID, mode, position == len(modes)-1)
			if err != nil {
				return Examination{}, err
			}
			facts.Pushes = append(facts.Pushes, pushed)
		}
	}

	return newExamination(account, facts), nil
}

// ExamineURL is Examine without pushes: nothing happens at the account's server.
func (p *Platform) ExamineURL(ctx context.Context, appID string) (Examination, error) {
	facts, account, err := p.examineURL(ctx, appID)
	if err != nil {
		return Examination{}, err
	}

	return newExamination(account, facts), nil
}

func newExamination(account Account, facts examine.Facts) Examination {
	result := Examination{Account: account.AppID, OK: true, Findings: examine.Judge(facts)}
	for _, finding := range result.Findings {
		result.OK = result.OK && finding.Severity != examine.Problem
	}

	return result
}

// examineURL observes the URL verification.
func (p *Platform) examineURL(ctx context.Context, appID string) (examine.Facts, Account, error) {
	asked, err := p.challenge(appID)
	if err != nil {
		return examine.Facts{}, Account{}, err
	}
	account := p.accountOf(asked.account)
	facts := examine.Facts{Address: account.CallbackURL, Timeout: p.options.Delivery.Timeout, Echo: asked.echo}
	if facts.Right, err = p.observeGET(ctx, asked.url); err != nil {
		return facts, account, err
	}
	if facts.Right.Failure == "" {
		wrong, err := p.wronglySigned(ctx, account, asked.echo)
		if err != nil {
			return facts, account, err
		}
		facts.Wrong = &wrong
	}

	return facts, account, nil
}

// wronglySigned asks for the verification as somebody who doesn't know the Token would.
func (p *Platform) wronglySigned(ctx context.Context, account Account, echo string) (examine.Exchange, error) {
	query := newSignedQuery(account.CallbackToken + "?")
	query.values.Set("echostr", echo)
	target, err := query.url(account.CallbackURL)
	if err != nil {
		return examine.Exchange{}, err
	}

	return p.observeGET(ctx, target)
}

// observeGET makes a request and writes down what came of it.
func (p *Platform) observeGET(ctx context.Context, target string) (examine.Exchange, error) {
	limited, cancel := context.WithTimeout(ctx, p.options.Delivery.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, target, http.NoBody)
	if err != nil {
		return examine.Exchange{}, fmt.Errorf("build request: %w", err)
	}
	request.Header.Set("User-Agent", userAgent)
	started := time.Now()
	response, err := p.fresh.Do(request)
	observed := examine.Exchange{At: started, Took: time.Since(started)}
	if err != nil {
		if ctx.Err() != nil {
			return observed, fmt.Errorf("examination was given up: %w", ctx.Err())
		}
		observed.Failure, observed.Detail = failureOf(err), innermost(err).Error()

		return observed, nil
	}
	defer func() { _ = response.Body.Close() }()
	body, err := readAnswer(response)
	if err != nil {
		observed.Failure, observed.Detail = failureOf(err), innermost(err).Error()

		return observed, nil
	}
	observed.Status, observed.Location, observed.Body = response.StatusCode, response.Header.Get("Location"), string(body)
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		observed.Date = date
	}

	return observed, nil
}

// failureOf tells why there was no answer.
func failureOf(err error) examine.Failure {
	var lookup *net.DNSError
	var record tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	var operation *net.OpError
	const clearText = "server gave HTTP response to HTTPS client" // net/http has no type for it.
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return examine.FailureTimeout
	case errors.As(err, &lookup):
		return examine.FailureDNS
	case errors.As(err, &record), errors.As(err, &verification), errors.As(err, new(x509.UnknownAuthorityError)), strings.Contains(err.Error(), clearText):
		return examine.FailureTLS
	case errors.As(err, &operation) && operation.Op == "dial":
		return examine.FailureRefused
	default:
		return examine.FailureOther
	}
}

// innermost is the cause, without the request's URL, which has the signature in it.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// examinePush observes how a text is answered, the same delivery once more, and the same message signed by somebody who
// doesn't know the Token.
func (p *Platform) examinePush(ctx context.Context, appID string, mode Mode, again bool) (examine.Pushed, error) {
	sent, err := p.prepare(Push{Account: appID, Content: "你好", Mode: mode})
	if err != nil {
		return examine.Pushed{}, err
	}
	result := p.deliverAll(ctx, sent)
	if err := ctx.Err(); err != nil {
		p.forgetPending(result)

		return examine.Pushed{}, fmt.Errorf("examination was given up: %w", err)
	}
	p.conclude(sent, &result)
	last := result.Deliveries[len(result.Deliveries)-1]
	pushed := examine.Pushed{Mode: string(mode), Verdict: last.Verdict, Reason: last.reason(), Status: last.Status, Body: last.ResponseBody}
	if again && result.Outcome != OutcomeFailed {
		repeated := p.deliver(ctx, sent, last.Attempt+1)
		pushed.Again, pushed.AgainStatus = repeated.Verdict, repeated.Status
	}
	if result.Outcome != OutcomeFailed {
		forged, err := sent.forged()
		if err != nil {
			return examine.Pushed{}, err
		}
		pushed.Forged = p.deliver(ctx, forged, 1).Verdict
	}

	return pushed, nil
}

// controlExamine serves POST /sim/v1/examine.
func (p *Platform) controlExamine(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		Modes   []Mode `json:"modes"`
		GetOnly bool   `json:"get_only"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	for _, mode := range asked.Modes {
		if _, err := ParseMode(string(cmp.Or(mode, "?"))); err != nil {
			return nil, err
		}
	}
	if asked.GetOnly {
		return p.ExamineURL(r.Context(), asked.Account)
	}

	return p.Examine(r.Context(), asked.Account, asked.Modes...)
}
