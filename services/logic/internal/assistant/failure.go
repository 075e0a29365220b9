package assistant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"
)

// Why an assistant did not answer.
var (
	errEmpty    = errors.New("the assistant's answer is empty; if the model thinks first, raise max_tokens")
	errRefused  = errors.New("the model refused to answer")
	errFiltered = errors.New("the endpoint's content filter stopped the answer")
	errIdle     = errors.New("the assistant's answer stood still for longer than idle_timeout")
	errBrokeOff = errors.New("the assistant's answer ended before its end")
	errNoStream = errors.New("the endpoint's answer holds no stream of chat completion chunks; base_url must be that of an OpenAI-compatible API that streams")
)

// remedies say what to do about an HTTP status. The endpoint's own words are left out of errors, since they may
// quote what it was sent.
var remedies = map[int]string{
	http.StatusBadRequest:            "check model, max_tokens and temperature; a system text or history that is too long also causes it",
	http.StatusUnauthorized:          "it does not accept the key: check api_key_file",
	http.StatusPaymentRequired:       "the account has no balance left: top it up at the provider",
	http.StatusForbidden:             "the key may not do that: check at the provider which models it may use",
	http.StatusNotFound:              "it knows no such address or model: check base_url, which mostly ends in /v1, and model",
	http.StatusRequestEntityTooLarge: "the question with its history is too long: lower history.turns or history.max_bytes",
	http.StatusUnprocessableEntity:   "check model, max_tokens and temperature",
	http.StatusTooManyRequests:       "too many requests, or the quota is used up: lower concurrency, or raise the limit at the provider",
}

// filterCodes are the error codes by which providers say that their content filter refused the question.
var filterCodes = map[string]bool{"content_filter": true, "data_inspection_failed": true}

// explain makes an error of the client library one that can be logged.
func explain(err error) error {
	if refusal, ok := errors.AsType[*openai.Error](err); ok {
		if filterCodes[refusal.Code] {
			return errFiltered
		}
		remedy, known := remedies[refusal.StatusCode]
		switch {
		case known:
		case refusal.StatusCode >= http.StatusInternalServerError:
			remedy = "it is out of order or overloaded; its own status page or log tells more"
		default:
			remedy = "see the documentation of the provider"
		}

		return fmt.Errorf("the endpoint refuses with HTTP status %d: %s", refusal.StatusCode, remedy)
	}
	if _, ok := errors.AsType[*ssestream.StreamError](err); ok {
		return errors.New("the endpoint reported an error in the middle of its answer; its own log tells which")
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("the endpoint has not answered: %w", err)
	}
	// The URL is in the rule file; what matters is what happened.
	if unreachable, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the endpoint cannot be reached: %w; check base_url, and that logic has a way to it", unreachable.Err)
	}

	if _, network := errors.AsType[net.Error](err); network || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", errBrokeOff, err)
	}

	return fmt.Errorf("the endpoint's answer cannot be read (%T); base_url must be that of an OpenAI-compatible API", err)
}
