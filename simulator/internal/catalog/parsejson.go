package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ParseJSON reads a document in the format JSON: an object of strings, numbers, objects, and arrays of these.
func ParseJSON(data []byte) (Element, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	read, err := parseValue(decoder, Root, 1)
	if err == nil {
		if _, after := decoder.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("something follows after the object")
		}
	}
	switch {
	case err != nil:
		return Element{}, fmt.Errorf("%w: byte %d: %w", ErrDocument, decoder.InputOffset(), err)
	case len(read) != 1 || (len(read[0].Children) == 0 && read[0].Text != ""):
		return Element{}, fmt.Errorf("%w: it must be a JSON object", ErrDocument)
	}

	return read[0], nil
}

// parseValue reads the value of a name: one element, or as many as an array has.
func parseValue(decoder *json.Decoder, name string, depth int) ([]Element, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d levels", maxDepth)
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return parseArray(decoder, name, depth)
		}

		return parseObject(decoder, name, depth)
	case string:
		return []Element{Text(name, token)}, nil
	case nil:
		return nil, nil
	default:
		return []Element{Bare(name, fmt.Sprint(token))}, nil
	}
}

func parseObject(decoder *json.Decoder, name string, depth int) ([]Element, error) {
	read := Element{Name: name}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		children, err := parseValue(decoder, fmt.Sprint(key), depth+1)
		if err != nil {
			return nil, err
		}
		read.Children = append(read.Children, children...)
	}
	_, err := decoder.Token() // The end of the object.

	return []Element{read}, err
}

func parseArray(decoder *json.Decoder, name string, depth int) ([]Element, error) {
	var list []Element
	for decoder.More() {
		read, err := parseValue(decoder, name, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, read...)
	}
	_, err := decoder.Token() // The end of the array.

	return list, err
}
