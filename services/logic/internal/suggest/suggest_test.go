package suggest_test

import (
	"testing"

	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	known := []string{"text", "image", "print", "printf", "CLICK"}
	const list = "; known are: text, image, print, printf, CLICK"
	tests := map[string]string{
		"txet":    `; did you mean "text"?`,   // neighbours swapped
		"imag":    `; did you mean "image"?`,  // one missing
		"imagges": `; did you mean "image"?`,  // two too many
		"prinft":  `; did you mean "printf"?`, // the same length wins
		"click":   `; did you mean "CLICK"?`,  // case does not count
		"txyz":    list,                       // too far for so short a word
		"":        list,
		"图":       list,
	}
	for given, want := range tests {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			if got := suggest.DidYouMean(given, known); got != want {
				t.Errorf("want %q, got %q", want, got)
			}
		})
	}
}
