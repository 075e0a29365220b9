package recording

import (
	"regexp"
	"strings"
)

// hidden stands where something was taken out.
const hidden = "[hidden]"

var (
	// address is an e-mail address, or an account such as that of a human agent (客服), name@account.
	address = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9._-]+`)
	// link is a URL up to its query or fragment, and these.
	link = regexp.MustCompile(`((?i:[a-z]+)://[^\s?#]*)[?#]\S*`)
	// digits are four and more, alone or in groups: telephone numbers, identity cards, codes, amounts. Of scripts
	// other than Latin too, such as １２３４.
	digits = regexp.MustCompile(`\p{Nd}(?:[ \x{00A0}\-–—]?\p{Nd}){3,}`)
	// numerals are a telephone number that somebody wrote in characters.
	numerals = regexp.MustCompile(`[零〇一二三四五六七八九幺两]{7,}`)
)

// mask hides in a text what may point to a person: addresses, the queries of links, digits where there are four
// or more, and all digits of such a group. Valid UTF-8 stays valid.
func mask(text string) string {
	text = link.ReplaceAllString(text, "$1")
	text = address.ReplaceAllString(text, hidden)
	text = digits.ReplaceAllStringFunc(text, stars)
	return numerals.ReplaceAllStringFunc(text, stars)
}

// stars puts a star for each digit, so that the length of a number stays.
func stars(number string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\u00a0', '-', '–', '—':
			return r
		default:
			return '*'
		}
	}, number)
}

// withoutQuery cuts what a link tells beside its page.
func withoutQuery(url string) string {
	i := strings.IndexAny(url, "?#")
	if i < 0 {
		return url
	}
	return url[:i]
}
