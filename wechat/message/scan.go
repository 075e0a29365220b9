package message

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	// MaxDepth bounds the nesting of a push, its root included. The deepest
	// documented one, MASSSENDJOBFINISH, has five levels.
	MaxDepth = 16

	// MaxElements bounds the elements of a push, its root included. The greatest
	// documented one, a mass send (群发) of eight articles, has fewer than 150.
	MaxElements = 1024

	// rootName is the name of every document's root.
	rootName = "xml"

	// cdataStart opens a CDATA section.
	cdataStart = "<![CDATA["
)

// scan turns the bytes of a document into the elements under its root. It knows
// the format and nothing of WeChat; what the elements mean is decided elsewhere.
func scan(body []byte, format Format) ([]Field, error) {
	if format == JSON {
		return scanJSON(body)
	}
	if fields, ok := fastScan(body); ok {
		return fields, nil
	}

	return scanXML(body)
}

// scanXML reads every document, and is the judge of what a document is.
func scanXML(body []byte) ([]Field, error) {
	body = sanitize(body)
	s := scanner{}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		// encoding/xml doesn't tell CDATA from other text, but the position of a
		// token does.
		verbatim := bytes.HasPrefix(body[decoder.InputOffset():], []byte(cdataStart))
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return s.finish()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: not well-formed XML: %w", ErrMalformed, err)
		}
		if err := s.accept(token, verbatim); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
}

// scanner collects the tokens of one document into a tree.
type scanner struct {
	stack    []openElement
	elements int
	root     *Field
}

// openElement is an element whose end has not come yet.
type openElement struct {
	field Field
	text  []byte
	// verbatimStart and verbatimEnd enclose what came as CDATA within text; both
	// are zero when nothing did. White space is trimmed only outside of it.
	verbatimStart, verbatimEnd int
	hasVerbatim                bool
}

// accept takes in one token; verbatim says that it is a CDATA section.
func (s *scanner) accept(token xml.Token, verbatim bool) error {
	switch token := token.(type) {
	case xml.StartElement:
		return s.open(qualified(token.Name))
	case xml.EndElement:
		s.close()
	case xml.CharData:
		return s.append(token, verbatim)
	case xml.Directive:
		// <!DOCTYPE …> and the entities in it: the way in for XXE attacks and
		// exponential expansion.
		return errors.New("document type declarations are not allowed")
	default: // comments and processing instructions carry no content
	}

	return nil
}

// qualified is the name of an element, with its name space if it has one: an
// element of a foreign name space must not pass for one of WeChat's.
func qualified(name xml.Name) string {
	if name.Space == "" {
		return name.Local
	}

	return name.Space + ":" + name.Local
}

func (s *scanner) open(name string) error {
	s.elements++
	switch {
	case len(s.stack) == 0 && s.root != nil:
		return fmt.Errorf("second root element %.40q", name)
	case len(s.stack) == 0 && name != rootName:
		return fmt.Errorf("root element is %.40q, want %q", name, rootName)
	case len(s.stack) == MaxDepth:
		return fmt.Errorf("element %.40q is nested deeper than %d levels", name, MaxDepth)
	case s.elements > MaxElements:
		return fmt.Errorf("more than %d elements", MaxElements)
	}
	s.stack = append(s.stack, openElement{field: Field{Name: name}})

	return nil
}

// append adds text to the innermost open element.
func (s *scanner) append(text []byte, verbatim bool) error {
	if len(s.stack) == 0 {
		if verbatim || len(bytes.TrimSpace(text)) > 0 {
			return errors.New("text outside the root element")
		}

		return nil
	}
	element := &s.stack[len(s.stack)-1]
	if verbatim && !element.hasVerbatim {
		element.hasVerbatim = true
		element.verbatimStart = len(element.text)
	}
	element.text = append(element.text, text...)
	if verbatim {
		element.verbatimEnd = len(element.text)
	}

	return nil
}

// close moves the innermost element to its parent. The decoder guarantees that
// an end has a start.
func (s *scanner) close() {
	last := len(s.stack) - 1
	field := s.stack[last].field
	field.Value = s.stack[last].value()
	s.stack = s.stack[:last]
	if last == 0 {
		s.root = &field

		return
	}
	parent := &s.stack[last-1].field
	parent.Children = append(parent.Children, field)
}

// value is the element's text without the white space around it.
func (e openElement) value() string {
	if !e.hasVerbatim {
		return string(bytes.TrimSpace(e.text))
	}
	before := bytes.TrimLeft(e.text[:e.verbatimStart], xmlSpace)
	verbatim := e.text[e.verbatimStart:e.verbatimEnd]
	after := bytes.TrimRight(e.text[e.verbatimEnd:], xmlSpace)

	return string(before) + string(verbatim) + string(after)
}

// xmlSpace is what XML calls white space, and JSON as well.
const xmlSpace = " \t\r\n"

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// finish returns the tree once the document has ended.
func (s *scanner) finish() ([]Field, error) {
	if s.root == nil {
		return nil, fmt.Errorf("%w: empty document", ErrMalformed)
	}

	return s.root.Children, nil
}

// sanitize replaces by U+FFFD what XML forbids: control characters, which
// followers paste into messages and WeChat passes on, and broken UTF-8. Without
// it one such character would cost the whole message.
func sanitize(body []byte) []byte {
	if firstForbidden(string(body)) < 0 {
		return body
	}

	return bytes.Map(func(r rune) rune {
		if allowed(r) {
			return r
		}

		return utf8.RuneError
	}, body)
}

// dropForbidden returns text without what no XML document can hold, even escaped:
// control characters and broken UTF-8.
func dropForbidden(text string) string {
	if firstForbidden(text) < 0 {
		return text
	}

	return strings.Map(func(r rune) rune {
		if allowed(r) {
			return r
		}

		return -1
	}, strings.ToValidUTF8(text, ""))
}

// firstForbidden returns the position of the first byte of text that is not part
// of a character XML allows, or -1.
func firstForbidden(text string) int {
	if plainText(text) {
		return -1
	}
	for i, r := range text {
		if !allowed(r) {
			return i
		}
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}

	return -1
}

// plainText reports whether text is beyond doubt free of what XML forbids: UTF-8, without control characters but those of
// white space, and without U+FFFE and U+FFFF. It is quick where there are none of these.
func plainText(text string) bool {
	const beforeFFFE = "\xEF\xBF" // what U+FFC0 to U+FFFF begin with
	for i := range len(text) {
		if b := text[i]; b < ' ' && b != '\t' && b != '\n' && b != '\r' {
			return false
		}
	}

	return utf8.ValidString(text) && !strings.Contains(text, beforeFFFE)
}

// allowed reports whether XML 1.0 allows the character (section 2.2, Char).
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= ' ' && r <= 0xD7FF ||
		r >= 0xE000 && r <= 0xFFFD ||
		r >= 0x10000 && r <= utf8.MaxRune
}
