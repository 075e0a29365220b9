package assistant

import (
	"regexp"
	"strings"
)

// emphasis is removed in this order. What stands around a mark decides whether it is one: 2*3*4 and **kwargs
// are none. Underscores are left alone, since names have them far more often than emphasis.
var emphasis = []struct {
	mark *regexp.Regexp
	by   string
}{
	{regexp.MustCompile("(^|[^0-9A-Za-z*`])\\*{2,3}([^*`\\s]|[^*\\s](?:[^*`]|`[^`]*`)*[^*\\s]|`[^`]*`)\\*{2,3}"), "$1$2"},
	{regexp.MustCompile("~~([^~\\s]|[^~\\s][^~`]*[^~\\s])~~"), "$1"},
	{regexp.MustCompile("(^|[\\s（(「“\"：:，,。；;])\\*([^*`\\s]|[^*`\\s][^*`]*[^*`\\s])\\*($|[\\s）)」”\"：:，,。；;！!？?.])"), "$1$2$3"},
}

var (
	code      = regexp.MustCompile("`+[^`]+`+")
	link      = regexp.MustCompile(`!?\[([^\[\]]+)\]\((https?://[^\s()]+)\)`)
	autolink  = regexp.MustCompile(`<(https?://[^\s<>]+)>`)
	heading   = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$`)
	bullet    = regexp.MustCompile(`^([ \t]*)[*+][ \t]+`)
	quotation = regexp.MustCompile(`^ {0,3}>[ \t]`)
	rule      = regexp.MustCompile(`^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$`)
	tableRule = regexp.MustCompile(`^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$`)
	fence     = regexp.MustCompile("^[ \t]*(?:```|~~~)[^`]*$")
	gap       = regexp.MustCompile(`\n{3,}`)
)

// Plain removes Markdown, which WeChat shows as it is written: headings, emphasis, quotations, rules and the
// marks around code become plain text, a link its text and its address. What may be meant as written stays.
func Plain(markdown string) string {
	var out strings.Builder
	inCode := false
	for line := range strings.SplitSeq(strings.ReplaceAll(markdown, "\r\n", "\n"), "\n") {
		switch {
		case fence.MatchString(line):
			inCode = !inCode
			continue
		case inCode:
		case tableRule.MatchString(line):
			continue
		case rule.MatchString(line):
			line = ""
		default:
			line = plainLine(line)
		}
		out.WriteString(line)
		out.WriteByte('\n')
	}

	return strings.TrimSpace(gap.ReplaceAllString(out.String(), "\n\n"))
}

func plainLine(line string) string {
	line = heading.ReplaceAllString(line, "$1")
	line = quotation.ReplaceAllString(line, "")
	line = bullet.ReplaceAllString(line, "$1- ")
	bold := emphasis[0]
	line = bold.mark.ReplaceAllString(line, bold.by)
	var out strings.Builder
	rest := 0
	for _, at := range code.FindAllStringIndex(line, -1) {
		out.WriteString(plainText(line[rest:at[0]]))
		out.WriteString(strings.Trim(line[at[0]:at[1]], "`"))
		rest = at[1]
	}
	out.WriteString(plainText(line[rest:]))

	return out.String()
}

// plainText is plainLine for what stands outside of code.
func plainText(text string) string {
	for _, e := range emphasis {
		text = e.mark.ReplaceAllString(text, e.by)
	}
	text = link.ReplaceAllString(text, "$1: $2 ")

	return autolink.ReplaceAllString(text, "$1 ")
}
