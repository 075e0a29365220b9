package assistant

import (
	"context"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	// retries are the client library's: of a request that brought no answer at all, with pauses that grow or that
	// the endpoint asks for (Retry-After).
	retries = 2
	// longestPause is when a Retry-After is too long for somebody who waits for the answer.
	longestPause = 10 * time.Second
)

// endpoint asks a chat endpoint. The library's own client isn't used: it reads the environment.
type endpoint struct {
	config Config
	chat   openai.ChatCompletionService
}

func newEndpoint(c Config, transport http.RoundTripper) *endpoint {
	options := []option.RequestOption{
		option.WithBaseURL(c.BaseURL), option.WithHTTPClient(&http.Client{Transport: transport}),
		option.WithMaxRetries(retries), option.WithMaxRetryDelay(longestPause),
	}
	if key := c.Key.Reveal(); key != "" {
		options = append(options, option.WithAPIKey(key))
	}

	return &endpoint{config: c, chat: openai.NewChatCompletionService(options...)}
}

// arrived is what came of an answer.
type arrived struct {
	text string
	// unfinished says that the answer goes on, but that this is as much of it as was asked for.
	unfinished bool
}

// finish reasons of the protocol.
const (
	finishLength = "length"
	finishFilter = "content_filter"
)

// ask reads the answer to the messages, or as much of it as the follower may be shown. What came of one that
// broke off comes with the error. Errors name status and remedy; they hold nothing that anybody said.
func (e *endpoint) ask(ctx context.Context, messages []openai.ChatCompletionMessageParamUnion) (arrived, error) {
	params := openai.ChatCompletionNewParams{Model: e.config.Model, Messages: messages}
	if e.config.MaxTokens != nil {
		params.MaxTokens = openai.Int(*e.config.MaxTokens)
	}
	if e.config.Temperature != nil {
		params.Temperature = openai.Float(*e.config.Temperature)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(e.config.IdleTimeout, func() { cancel(errIdle) })
	idle.Stop() // The first word may take longer: how long is up to the rule's timeout.
	defer idle.Stop()
	stream := e.chat.NewStreaming(ctx, params)
	defer stream.Close() //nolint:errcheck // only read from.
	var text draft
	refused, finished := false, ""
	for stream.Next() {
		idle.Reset(e.config.IdleTimeout)
		for _, choice := range stream.Current().Choices {
			text.add(choice.Delta.Content)
			refused = refused || choice.Delta.Refusal != ""
			if choice.FinishReason != "" {
				finished = choice.FinishReason
			}
		}
		if len(text.answer()) > e.config.MaxBytes {
			return arrived{text: text.answer(), unfinished: true}, nil
		}
	}
	came := arrived{text: text.answer(), unfinished: finished == finishLength}
	switch err := stream.Err(); {
	case finished == finishFilter:
		return arrived{}, errFiltered
	case refused:
		return arrived{}, errRefused
	case finished != "":
		return came, nil
	case context.Cause(ctx) == errIdle: //nolint:errorlint // set above, as it is.
		return came, errIdle
	case err != nil:
		return came, explain(err)
	case text.begun:
		return came, errBrokeOff
	}

	return arrived{}, errNoStream
}
