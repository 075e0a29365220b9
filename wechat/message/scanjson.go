package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// scanJSON reads an object as the list of elements that the same push has in XML,
// within the same bounds: a name that occurs twice makes two elements, and so do
// the entries of an array.
func scanJSON(body []byte) ([]Field, error) {
	s := jsonScanner{decoder: json.NewDecoder(bytes.NewReader(sanitize(body)))}
	// A MsgId has more digits than a float64.
	s.decoder.UseNumber()
	fields, err := s.document()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}

	return fields, nil
}

// jsonScanner turns the tokens of one document into a tree.
type jsonScanner struct {
	decoder  *json.Decoder
	elements int
}

// document reads the whole of it.
func (s *jsonScanner) document() ([]Field, error) {
	root, err := s.value(nil, rootName, 1)
	if err != nil {
		return nil, err
	}
	if _, err := s.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the end of the JSON object")
	}

	return root[0].Children, nil
}

// value reads one value and appends the elements that it makes, which are depth
// levels deep: one, unless it is an array.
func (s *jsonScanner) value(fields []Field, name string, depth int) ([]Field, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("element %.40q is nested deeper than %d levels", name, MaxDepth)
	}
	token, err := s.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("not well-formed JSON: %w", err)
	}
	if token == json.Delim('[') {
		return s.array(fields, name, depth+1)
	}
	if s.elements++; s.elements > MaxElements {
		return nil, fmt.Errorf("more than %d elements", MaxElements)
	}
	field := Field{Name: name}
	switch token := token.(type) {
	case string:
		field.Value = string(sanitize([]byte(token))) // an escape can hide what XML forbids
	case json.Number:
		field.Value = token.String()
	case bool:
		field.Value = strconv.FormatBool(token)
	case json.Delim:
		field.Children, err = s.object(depth)
	default: // null has no value
	}

	return append(fields, field), err
}

// object reads the members of an object up to its end.
func (s *jsonScanner) object(depth int) ([]Field, error) {
	var fields []Field
	for s.decoder.More() {
		token, err := s.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("not well-formed JSON: %w", err)
		}
		name, _ := token.(string) // the decoder lets nothing else stand there
		if fields, err = s.value(fields, string(sanitize([]byte(name))), depth+1); err != nil {
			return nil, err
		}
	}

	return fields, s.end()
}

// array reads the entries of an array up to its end. It counts as a level, so that
// arrays of arrays have a bound too. An empty one disappears.
func (s *jsonScanner) array(fields []Field, name string, depth int) ([]Field, error) {
	for s.decoder.More() {
		var err error
		if fields, err = s.value(fields, name, depth); err != nil {
			return nil, err
		}
	}

	return fields, s.end()
}

// end reads the end of an object or an array.
func (s *jsonScanner) end() error {
	if _, err := s.decoder.Token(); err != nil {
		return fmt.Errorf("not well-formed JSON: %w", err)
	}

	return nil
}
