// Package phrase says things in both languages of the simulator's readers.
package phrase

import "fmt"

// Phrase is one sentence in Chinese and in English.
type Phrase struct {
	Zh string
	En string
}

// With puts the values into both sentences, which are formats of package fmt. Of a value that is a phrase itself, each
// sentence gets its own.
func (p Phrase) With(values ...any) Phrase {
	zh, en := make([]any, len(values)), make([]any, len(values))
	for position, value := range values {
		zh[position], en[position] = value, value
		if inner, ok := value.(Phrase); ok {
			zh[position], en[position] = inner.Zh, inner.En
		}
	}

	return Phrase{Zh: fmt.Sprintf(p.Zh, zh...), En: fmt.Sprintf(p.En, en...)}
}
