package message

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// taker moves elements from a generic list into typed fields, and remembers which
// ones, so that the others can be kept.
type taker struct {
	fields []Field
	// taken has a bit for each field.
	taken [MaxElements / wordSize]uint64
	// left is how many fields aren't taken.
	left int
	// anyCase lets the names of elements differ in case.
	anyCase bool
}

const wordSize = 64

func (t *taker) isTaken(i int) bool { return t.taken[i/wordSize]&(1<<(i%wordSize)) != 0 }

func (t *taker) take(i int) {
	t.taken[i/wordSize] |= 1 << (i % wordSize)
	t.left--
}

// find returns the first element of that name that isn't taken and has no
// children, or -1. One with children is not what a field for a value means.
func (t *taker) find(name string) int {
	for i := range t.fields {
		field := &t.fields[i]
		if (field.Name == name || t.anyCase && strings.EqualFold(field.Name, name)) && len(field.Children) == 0 && !t.isTaken(i) {
			return i
		}
	}

	return -1
}

// contains reports whether text would take something.
func (t *taker) contains(name string) bool { return t.find(name) >= 0 }

// text takes an element; absence is an empty text.
func (t *taker) text(name string) string {
	i := t.find(name)
	if i < 0 {
		return ""
	}
	t.take(i)

	return t.fields[i].Value
}

// word is text without white space around it.
func (t *taker) word(name string) string { return strings.TrimSpace(t.text(name)) }

// integer takes a signed whole number.
func (t *taker) integer(name string) int64 {
	return number(t, name, func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) })
}

// unsigned takes an unsigned whole number.
func (t *taker) unsigned(name string) uint64 {
	return number(t, name, func(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) })
}

// decimal takes a finite decimal number.
func (t *taker) decimal(name string) float64 {
	return number(t, name, func(text string) (float64, error) {
		value, err := strconv.ParseFloat(text, 64)
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return 0, errors.ErrUnsupported
		}

		return value, err
	})
}

// number takes an element that parse understands, and leaves another where it is.
// An empty element counts as absent.
func number[T int64 | uint64 | float64](t *taker, name string, parse func(string) (T, error)) T {
	i := t.find(name)
	if i < 0 {
		return 0
	}
	text := strings.TrimSpace(t.fields[i].Value)
	if text == "" {
		t.take(i)

		return 0
	}
	value, err := parse(text)
	if err != nil {
		return 0
	}
	t.take(i)

	return value
}

// countOf takes an element that says how many entries a list has, if it is right:
// only otherwise does it tell anything.
func (t *taker) countOf(name string, entries int) {
	if i := t.find(name); i >= 0 && strings.TrimSpace(t.fields[i].Value) == strconv.Itoa(entries) {
		t.take(i)
	}
}

// inside hands the children of the first element of that name to take. What take
// leaves stays in the element, and an element that is empty then is taken.
func (t *taker) inside(name string, take func(*taker)) {
	for i := range t.fields {
		if t.fields[i].Name == name && !t.isTaken(i) {
			t.enter(i, take)

			return
		}
	}
}

// each does what inside does for all elements of that name.
func (t *taker) each(name string, take func(*taker)) {
	for i := range t.fields {
		if t.fields[i].Name == name && !t.isTaken(i) {
			t.enter(i, take)
		}
	}
}

func (t *taker) enter(i int, take func(*taker)) {
	field := &t.fields[i]
	if len(field.Children) > 0 {
		inner := taker{fields: field.Children, left: len(field.Children)}
		take(&inner)
		field.Children = inner.rest()
	}
	if len(field.Children) == 0 && field.Value == "" {
		t.take(i)
	}
}

// entries hands every entry of a list to take: in XML the elements item of the
// list; in JSON the list may be an array of the entries themselves.
func (t *taker) entries(list string, take func(*taker)) {
	const item = "item"
	t.each(list, func(t *taker) {
		if slices.ContainsFunc(t.fields, func(f Field) bool { return f.Name == item }) {
			t.each(item, take)
		} else {
			take(t)
		}
	})
}

// rest returns the elements that nothing took, or nil.
func (t *taker) rest() []Field {
	if t.left == 0 {
		return nil
	}
	rest := make([]Field, 0, t.left)
	for i, field := range t.fields {
		if !t.isTaken(i) {
			rest = append(rest, field)
		}
	}

	return rest
}
