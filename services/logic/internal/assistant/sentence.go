package assistant

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences returns the beginning of a text, at most limit bytes, that consists of whole sentences. Where there
// is no end of a sentence beyond the first third of it, it ends at white space, or between two characters.
func Sentences(text string, limit int) string {
	text = text[:boundary(text, limit)]
	sentence, word := 0, 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		after := i + size
		if endsSentence(r, text[after:]) {
			sentence = after + closers(text[after:])
		}
		if unicode.IsSpace(r) {
			word = i
		}
		i = after
	}
	switch third := len(text) / 3; { //nolint:mnd // so says the name.
	case sentence > third:
		text = text[:sentence]
	case word > third:
		text = text[:word]
	}

	return strings.TrimRightFunc(text, unicode.IsSpace)
}

// endsSentence tells it of r, which next follows. An ASCII mark ends one only before white space: it also
// stands in numbers and addresses.
func endsSentence(r rune, next string) bool {
	switch r {
	case '。', '！', '？', '…', '；', '\n':
		return true
	case '.', '!', '?':
		first, _ := utf8.DecodeRuneInString(next)

		return unicode.IsSpace(first)
	}

	return false
}

// closers is how many bytes of text close what a sentence is in.
func closers(text string) int {
	return len(text) - len(strings.TrimLeft(text, "”’」』）)\""))
}

// boundary is where the first character begins that does not fit into limit bytes.
func boundary(text string, limit int) int {
	if len(text) <= limit {
		return len(text)
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}

	return limit
}
