package assistant

import (
	"slices"

	"github.com/openai/openai-go/v3"
)

// messages is what the assistant is shown: the system's words, as many of the last turns as fit into budget
// bytes, and the question.
func messages(system string, turns []Turn, question string, budget int) []openai.ChatCompletionMessageParamUnion {
	first := len(turns)
	for i, turn := range slices.Backward(turns) {
		if budget -= len(turn.Question) + len(turn.Answer); budget < 0 {
			break
		}
		first = i
	}
	var all []openai.ChatCompletionMessageParamUnion
	if system != "" {
		all = append(all, openai.SystemMessage(system))
	}
	for _, turn := range turns[first:] {
		all = append(all, openai.UserMessage(turn.Question), openai.AssistantMessage(turn.Answer))
	}

	return append(all, openai.UserMessage(question))
}
