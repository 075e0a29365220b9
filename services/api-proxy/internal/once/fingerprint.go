package once

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"

	"github.com/wxstack/wxstack/chassis/fault"

	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/idempotency"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// fingerprint covers what WeChat would see of a call, but not a token that a caller wrote into it, nor the
// boundary of a form (multipart/form-data): every SDK draws another one each time, and must, because a file whose
// author can foresee the boundary can hold further parts of the form.
func fingerprint(c forward.Call) (idempotency.Fingerprint, error) {
	said, err := formDigest(c)
	if err != nil {
		said, err = digest(c.Body.Reader())
	}
	if err != nil {
		return idempotency.Fingerprint{}, fault.Wrap(fault.Internal, err, "read the kept body")
	}
	return idempotency.FingerprintOf([]byte(c.Method), []byte(c.Target.WithToken(target.AccountToken, "")), said), nil
}

// errNoForm says that a body has to be taken as it is.
var errNoForm = errors.New("no form")

// formDigest stands for the parts of a form. What cannot be read as one is not judged here.
func formDigest(c forward.Call) ([]byte, error) {
	kind, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, errNoForm
	}
	var parts [][]byte
	form := multipart.NewReader(c.Body.Reader(), parameters["boundary"])
	for {
		part, err := form.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a form that ends without its last boundary wraps it.
			all := idempotency.FingerprintOf(parts...)
			return all[:], nil
		}
		if err != nil {
			return nil, errNoForm
		}
		content, err := digest(part)
		if err != nil {
			return nil, errNoForm
		}
		parts = append(parts, []byte(part.Header.Get("Content-Disposition")), []byte(part.Header.Get("Content-Type")), content)
	}
}

// digest stands for a body that may be too long for memory.
func digest(r io.Reader) ([]byte, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return sum.Sum(nil), nil
}
