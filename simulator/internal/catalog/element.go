package catalog

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Element is one element of a document that WeChat pushes: it has either a text or children.
type Element struct {
	Name     string
	Text     string
	Bare     bool // Written without CDATA, as WeChat writes numbers.
	Children []Element
}

// Text makes an element whose text is in CDATA.
func Text(name, value string) Element { return Element{Name: name, Text: value} }

// Bare makes an element whose text is written bare, as WeChat writes numbers.
func Bare(name, value string) Element { return Element{Name: name, Text: value, Bare: true} }

// Root is the name of the root of every document.
const Root = "xml"

// ErrDocument is wrapped by every error about a document.
var ErrDocument = errors.New("invalid document")

// maxDepth is far deeper than anything that WeChat nests.
const maxDepth = 32

// ParseXML reads a document of WeChat's kind: elements without attributes under a root of that name.
func ParseXML(data []byte) (Element, error) {
	reader := &xmlReader{data: data, decoder: xml.NewDecoder(bytes.NewReader(data))}
	document, err := reader.document()
	if err != nil {
		return Element{}, fmt.Errorf("%w: line %d: %w", ErrDocument, reader.line(), err)
	}

	return document, nil
}

// xmlReader builds a tree. It looks into the data to tell CDATA from bare text, which the decoder doesn't.
type xmlReader struct {
	data    []byte
	decoder *xml.Decoder
}

func (r *xmlReader) line() int {
	line, _ := r.decoder.InputPos()

	return line
}

func (r *xmlReader) document() (Element, error) {
	var root *Element
	for {
		token, err := r.decoder.Token()
		switch token := token.(type) {
		case xml.StartElement:
			if root != nil {
				return Element{}, errors.New("there is a second root")
			}
			read, err := r.element(token, 1)
			if err != nil {
				return Element{}, err
			}
			root = &read
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				return Element{}, errors.New("there is text outside of the root")
			}
		case xml.Directive:
			return Element{}, errors.New("WeChat sends no DTD")
		}
		switch {
		case errors.Is(err, io.EOF) && root == nil:
			return Element{}, errors.New("there is no element")
		case errors.Is(err, io.EOF) && root.Name != Root:
			return Element{}, fmt.Errorf("the root is <%s>, must be <%s>", root.Name, Root)
		case errors.Is(err, io.EOF):
			return *root, nil
		case err != nil:
			return Element{}, err
		}
	}
}

// element reads what follows a start tag up to its end.
func (r *xmlReader) element(start xml.StartElement, depth int) (Element, error) {
	read := Element{Name: start.Name.Local, Bare: true}
	switch {
	case len(start.Attr) > 0 || start.Name.Space != "":
		return read, fmt.Errorf("<%s> has attributes or a name space, WeChat's elements have neither", read.Name)
	case depth > maxDepth:
		return read, fmt.Errorf("more than %d levels", maxDepth)
	}
	var text strings.Builder
	for {
		before := r.decoder.InputOffset()
		token, err := r.decoder.Token()
		if err != nil {
			return read, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := r.element(token, depth+1)
			if err != nil {
				return read, err
			}
			read.Children = append(read.Children, child)
		case xml.CharData:
			if bytes.HasPrefix(r.data[before:], []byte("<![CDATA[")) {
				read.Bare = false
			}
			text.Write(token)
		case xml.EndElement:
			if len(read.Children) > 0 {
				if strings.TrimSpace(text.String()) != "" {
					return read, fmt.Errorf("<%s> has both text and elements", read.Name)
				}

				return Element{Name: read.Name, Children: read.Children}, nil
			}
			read.Text = text.String()

			return read, nil
		}
	}
}

// Find returns the first child of that name, nil if there is none.
func (e *Element) Find(name string) *Element {
	for position := range e.Children {
		if e.Children[position].Name == name {
			return &e.Children[position]
		}
	}

	return nil
}

// Value returns the text of the first child of that name without surrounding white space, empty if there is none.
func (e *Element) Value(name string) string {
	if found := e.Find(name); found != nil {
		return strings.TrimSpace(found.Text)
	}

	return ""
}

// XML writes the element as WeChat does: texts in CDATA, numbers bare, no white space between elements.
func (e *Element) XML() string {
	var out strings.Builder
	e.writeXML(&out)

	return out.String()
}

func (e *Element) writeXML(out *strings.Builder) {
	out.WriteString("<" + e.Name + ">")
	for position := range e.Children {
		e.Children[position].writeXML(out)
	}
	switch text := dropIllegal(e.Text); {
	case len(e.Children) > 0:
	case !e.Bare:
		// CDATA can't hold its own end mark, which is therefore split over two sections.
		out.WriteString("<![CDATA[" + strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>") + "]]>")
	default:
		_ = xml.EscapeText(out, []byte(text)) // A builder takes everything.
	}
	out.WriteString("</" + e.Name + ">")
}

// dropIllegal removes the characters that no XML document can hold.
func dropIllegal(value string) string {
	return strings.Map(func(char rune) rune {
		switch {
		case char == '\t' || char == '\n' || char == '\r':
			return char
		case char < 0x20 || char == 0xFFFE || char == 0xFFFF:
			return -1
		default:
			return char
		}
	}, value)
}

// JSON writes the element's content as the format JSON has it (数据格式 JSON): the same names, numbers as numbers,
// and what repeats as an array.
func (e *Element) JSON() string {
	var out bytes.Buffer
	e.writeJSON(&out)

	return out.String()
}

func (e *Element) writeJSON(out *bytes.Buffer) {
	if len(e.Children) == 0 {
		out.Write(e.scalar())

		return
	}
	written := make(map[string]bool, len(e.Children))
	separator := byte('{')
	for position := range e.Children {
		name := e.Children[position].Name
		if written[name] {
			continue
		}
		written[name] = true
		out.WriteByte(separator)
		separator = ','
		out.Write(quote(name))
		out.WriteByte(':')
		e.writeNamed(out, e.Children[position:], name)
	}
	out.WriteByte('}')
}

// writeNamed writes the children of a name: one as it is, several as an array.
func (e *Element) writeNamed(out *bytes.Buffer, children []Element, name string) {
	var same []*Element
	for position := range children {
		if children[position].Name == name {
			same = append(same, &children[position])
		}
	}
	if len(same) == 1 {
		same[0].writeJSON(out)

		return
	}
	separator := byte('[')
	for _, child := range same {
		out.WriteByte(separator)
		separator = ','
		child.writeJSON(out)
	}
	out.WriteByte(']')
}

// scalar is a number where the document has a bare one, a string otherwise.
func (e *Element) scalar() []byte {
	if e.Bare && isNumber(e.Text) {
		return []byte(e.Text)
	}

	return quote(e.Text)
}

// isNumber reports whether a text is a number as JSON has it.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) && json.Valid([]byte(text))
}

// quote writes a JSON string with its characters as they are, as WeChat does.
func quote(text string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) //nolint:errchkjson // a string and a buffer.

	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
