package message

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// fastScan reads the form in which WeChat writes its pushes, at a fortieth of what encoding/xml takes:
// elements without attributes that hold one CDATA section, plain text, or other elements. It reports
// false for everything else, which is then scan's to read or to refuse, so that what is accepted is
// decided in one place.
func fastScan(body []byte) ([]Field, bool) {
	if !plainBytes(body) {
		return nil, false
	}
	f := fastScanner{rest: string(body)}
	f.skipSpace()
	if name, ok := f.start(); !ok || name != rootName {
		return nil, false
	}
	fields, ok := f.children(rootName, 1)
	f.skipSpace()
	if !ok || f.rest != "" {
		return nil, false
	}
	return fields, true
}

// plainBytes reports whether no byte needs care: valid UTF-8 without control characters, without the
// carriage returns that XML folds, and without U+FFFE and U+FFFF, which it forbids.
func plainBytes(body []byte) bool {
	for _, b := range body {
		if b < ' ' && b != '\n' && b != '\t' {
			return false
		}
	}
	return utf8.Valid(body) && !bytes.Contains(body, []byte("\uFFFE")) && !bytes.Contains(body, []byte("\uFFFF"))
}

// fastScanner walks over a document. Its strings share the document's memory.
type fastScanner struct {
	rest     string
	elements int
}

// children reads elements until the end of their parent, which is depth levels deep.
func (f *fastScanner) children(parent string, depth int) ([]Field, bool) {
	if depth >= MaxDepth {
		return nil, false
	}
	// Most pushes have six to nine elements.
	const usual = 8
	fields := make([]Field, 0, usual)
	for {
		f.skipSpace()
		if strings.HasPrefix(f.rest, "</") {
			return fields, f.end(parent)
		}
		name, ok := f.start()
		if f.elements++; !ok || f.elements >= MaxElements {
			return nil, false
		}
		field, ok := f.content(name, depth+1)
		if !ok {
			return nil, false
		}
		fields = append(fields, field)
	}
}

// content reads what an element holds, and its end.
func (f *fastScanner) content(name string, depth int) (Field, bool) {
	next := strings.IndexByte(f.rest, '<')
	if next < 0 {
		return Field{}, false
	}
	text := f.rest[:next]
	f.rest = f.rest[next:]
	blank := trimLeft(text) == ""
	switch {
	case strings.HasPrefix(f.rest, "</"):
		// Entities are not resolved here, and ]]> is forbidden in plain text.
		if strings.Contains(text, "&") || strings.Contains(text, "]]>") {
			return Field{}, false
		}
		return Field{Name: name, Value: strings.TrimSpace(text)}, f.end(name)
	case !blank:
		return Field{}, false
	case strings.HasPrefix(f.rest, cdataStart):
		value, after, closed := strings.Cut(f.rest[len(cdataStart):], "]]>")
		f.rest = after
		f.skipSpace()
		return Field{Name: name, Value: value}, closed && f.end(name)
	default:
		children, ok := f.children(name, depth)
		return Field{Name: name, Children: children}, ok
	}
}

// start reads a start tag without attributes.
func (f *fastScanner) start() (string, bool) {
	end := strings.IndexByte(f.rest, '>')
	if end < 2 || f.rest[0] != '<' || !simpleName(f.rest[1:end]) {
		return "", false
	}
	name := f.rest[1:end]
	f.rest = f.rest[end+1:]
	return name, true
}

// end reads the end tag of an element.
func (f *fastScanner) end(name string) bool {
	tag := len("</") + len(name) + len(">")
	if len(f.rest) < tag || f.rest[2:tag-1] != name || f.rest[tag-1] != '>' || f.rest[:2] != "</" {
		return false
	}
	f.rest = f.rest[tag:]
	return true
}

func (f *fastScanner) skipSpace() { f.rest = trimLeft(f.rest) }

// trimLeft removes the white space before a text. It is strings.TrimLeft, which would make a set of its
// characters first, for half the time of a scan.
func trimLeft(text string) string {
	for i := range len(text) {
		if !isSpace(text[i]) {
			return text[i:]
		}
	}
	return ""
}

// simpleName reports whether a name is one of ASCII letters, digits and underscores.
func simpleName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}
