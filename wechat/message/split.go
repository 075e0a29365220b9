package message

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// SplitText cuts a text that is too long for one message into parts of at most
// limit bytes, usually MaxTextBytes. It returns the text as one part if it fits,
// and no parts if there is nothing in it to see.
//
// A part ends, in this order of preference, after a line break, after a sentence,
// or at white space, if there is one in the last quarter that the limit allows,
// and otherwise between two characters. A link (<a …>…</a>) is not cut through if
// it fits into one part. White space at the cuts is dropped, and so are the
// characters that XML forbids, which Render would drop as well; nothing else is
// lost or added, so that Render takes every part.
//
// A limit below the four bytes that a character can have counts as four.
func SplitText(text string, limit int) []string {
	limit = max(limit, utf8.UTFMax)
	text = dropForbidden(text)
	var parts []string
	for len(text) > limit {
		at := cut(text, limit)
		part := strings.TrimRightFunc(text[:at], unicode.IsSpace)
		if strings.TrimSpace(part) != "" {
			parts = append(parts, part)
		}
		text = strings.TrimLeftFunc(text[at:], unicode.IsSpace)
	}
	if strings.TrimSpace(text) != "" {
		parts = append(parts, text)
	}

	return parts
}

// cut returns where the first part of a text ends that is longer than limit: after
// at least one byte, at most limit, and at the boundary of a character.
func cut(text string, limit int) int {
	end := limit
	for !utf8.RuneStart(text[end]) {
		end--
	}
	// A cut at white space in "<a href" would show the follower both halves of the tag.
	if link := strings.LastIndex(text[:end], "<a "); link > 0 && !strings.Contains(text[link:end], "</a>") {
		return link
	}
	from := end - limit/4 //nolint:mnd // the last quarter
	for !utf8.RuneStart(text[from]) {
		from++
	}
	tail := text[from:end]
	if at := strings.LastIndexByte(tail, '\n'); at >= 0 {
		return from + at + len("\n")
	}
	if at := sentenceEnd(tail, text[end:]); at > 0 {
		return from + at
	}
	if at := strings.LastIndexFunc(tail, unicode.IsSpace); at >= 0 {
		_, size := utf8.DecodeRuneInString(tail[at:])

		return from + at + size
	}

	return end
}

// sentenceEnd returns the end of the last sentence that ends in tail, or 0. An
// ASCII mark ends one only before white space: it also stands in numbers and addresses.
func sentenceEnd(tail, next string) int {
	end := 0
	for i, r := range tail {
		switch after := i + utf8.RuneLen(r); r {
		case '。', '！', '？':
			end = after
		case '.', '!', '?':
			following := tail[after:]
			if following == "" {
				following = next
			}
			if first, _ := utf8.DecodeRuneInString(following); unicode.IsSpace(first) {
				end = after
			}
		}
	}

	return end
}
