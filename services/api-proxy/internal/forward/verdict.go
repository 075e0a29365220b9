package forward

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxVerdictBytes is how much of an answer is read to find errcode. WeChat writes it first, and answers
// with an error are short.
const maxVerdictBytes = 64 << 10

// mayHoldVerdict reports whether the body of an answer can be JSON. WeChat labels its JSON text/plain
// as often as application/json; pictures, sound and files are left alone whatever they begin with.
func mayHoldVerdict(h http.Header) bool {
	if h.Get("Content-Encoding") != "" || strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		return false
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return h.Get("Content-Type") == ""
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "json") || strings.HasSuffix(kind, "javascript")
}

// looksLikeObject reports whether text begins like a JSON object.
func looksLikeObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}

// peek reads the beginning of an answer: all of it when it is short.
func peek(r io.Reader) ([]byte, error) {
	var head bytes.Buffer
	_, err := io.CopyN(&head, r, maxVerdictBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return head.Bytes(), nil
}

// joined gives a body back whose beginning was read already.
type joined struct {
	io.Reader
	io.Closer
}
