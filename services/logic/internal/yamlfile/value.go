package yamlfile

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Yes reads a key that can only be true.
func (r *Reader) Yes(e Entry, what string) {
	if yes, ok := r.Resolve(e.Value).(*ast.BoolNode); !ok || !yes.Value {
		r.Faultf(e.Key, "%s can only be true; remove it", what)
	}
}

// Flag reads true or false.
func (r *Reader) Flag(e Entry, what string) bool {
	flag, ok := r.Resolve(e.Value).(*ast.BoolNode)
	if !ok {
		r.Faultf(e.Value, "%s must be true or false, not %s", what, r.Describe(e.Value))

		return false
	}

	return flag.Value
}

// Number reads a number between two others.
func (r *Reader) Number(e Entry, what string, least, most float64) float64 {
	text, ok := r.Scalar(e.Value, what)
	if !ok {
		return least
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || number < least || number > most {
		r.Faultf(e.Value, "%s must be a number from %v to %v, not %q", what, least, most, text)

		return least
	}

	return number
}

// Whole reads a number without a fraction between two others.
func (r *Reader) Whole(e Entry, what string, least, most int) int {
	number := r.Number(e, what, float64(least), float64(most))
	if number != math.Trunc(number) {
		r.Faultf(e.Value, "%s must be a whole number, not %v", what, number)
	}

	return int(number)
}

// Duration reads a duration such as 30s between two others.
func (r *Reader) Duration(e Entry, what string, least, most time.Duration) time.Duration {
	text, ok := r.Scalar(e.Value, what)
	if !ok {
		return least
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		r.Faultf(e.Value, "%s must be a duration from %v to %v, such as 500ms, 30s or 10m, not %q", what, least, most, text)

		return least
	}

	return d
}

// OneOf reads one of a few words.
func (r *Reader) OneOf(e Entry, what string, words ...string) string {
	text, ok := r.Text(e, what)
	if ok && !slices.Contains(words, text) {
		r.Faultf(e.Value, "%s must be one of %s, not %q", what, strings.Join(words, ", "), text)
	}

	return text
}

// WebAddress reads a text as the address of a page or a service: with a host, by https or http. It is not ok
// for any other text.
func WebAddress(text string) (address *url.URL, ok bool) {
	address, err := url.Parse(text)

	return address, err == nil && address.Host != "" && (address.Scheme == "http" || address.Scheme == "https")
}
