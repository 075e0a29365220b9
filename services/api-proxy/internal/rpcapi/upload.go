package rpcapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// Upload sends a file. All of it is here before WeChat gets the first byte: its length has to be told, and a
// rejected token means sending it again. A caller that stands still is bounded by the age of its connection.
func (s *Server) Upload(stream apiproxyv1.ApiProxyService_UploadServer) error {
	head, err := headOf(stream)
	if err != nil {
		return err
	}
	ctx := stream.Context()
	c, err := s.admitUpload(ctx, head)
	if err != nil {
		return err
	}
	if c.Header, c.Body, err = s.receive(c.Endpoint.Body, head, stream); err != nil {
		return err
	}
	defer func() { _ = c.Body.Close() }() // a file without a name: there is nothing left to lose.
	answer, err := s.calls.Do(ctx, c)
	if err != nil {
		return err
	}
	got, err := whole(ctx, answer)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&apiproxyv1.UploadResponse{
		HttpStatus: got.GetHttpStatus(), ContentType: got.GetContentType(), Body: got.GetBody(),
		Errcode: got.GetErrcode(), Errmsg: got.GetErrmsg(), BodyOmitted: got.GetBodyOmitted(),
	})
}

// headOf reads the first part.
func headOf(parts partSource) (*apiproxyv1.UploadHead, error) {
	first, err := parts.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fault.New(fault.Invalid, "field head: the upload ended before its head")
	case err != nil:
		return nil, cutShort(err)
	case first.GetHead() == nil:
		return nil, fault.New(fault.Invalid, "field head: the first part must be the head, which says where the file goes; the chunks follow it")
	}
	return first.GetHead(), nil
}

// admitUpload asks whether the caller may make the call, and whether it can be one.
func (s *Server) admitUpload(ctx context.Context, head *apiproxyv1.UploadHead) (forward.Call, error) {
	t, err := target.Parse(head.GetPath())
	if err != nil {
		return forward.Call{}, fault.Wrap(fault.Invalid, err, "field head.path: %v", err)
	}
	c, err := s.calls.Admit(ctx, forward.Call{
		Caller: caller.FromContext(ctx), AppID: head.GetAppId(), Method: http.MethodPost, Target: t, Key: head.GetIdempotencyKey(),
	})
	if err != nil {
		return c, err
	}
	switch c.Endpoint.Body {
	case endpoint.Multipart:
		return c, checkFormHead(head)
	case endpoint.Binary:
		return c, checkBareHead(c.Endpoint, head)
	case endpoint.JSON:
	}
	if !c.Endpoint.Listed() {
		return c, fault.New(fault.Invalid, "field head.path: %s is not known to take a file; use the HTTP pass-through, which takes any body", t.Path)
	}
	return c, fault.New(fault.Invalid, "field head.path: %s takes JSON and no file; use Call", t.Path)
}

// checkBareHead refuses what would be lost without a form around the file.
func checkBareHead(e endpoint.Endpoint, head *apiproxyv1.UploadHead) error {
	if head.GetFieldName() != "" || len(head.GetFormFields()) > 0 {
		return fault.New(fault.Invalid, "fields head.field_name, head.form_fields: %s takes the bare bytes of a file, without a form; leave them empty", e.Path)
	}
	return checkKind(head)
}

// receive reads the file into the body of the call. The receiver closes it.
func (s *Server) receive(kind endpoint.BodyKind, head *apiproxyv1.UploadHead, parts partSource) (http.Header, *spool.Body, error) {
	var content io.Reader = &fileReader{parts: parts}
	contentType := kindOf(head)
	if kind == endpoint.Multipart {
		var err error
		if content, contentType, err = formOf(head, content); err != nil {
			return nil, nil, fault.Wrap(fault.Internal, err, "write form")
		}
	}
	body, err := spool.Read(content, s.spoolDir)
	if err != nil {
		return nil, nil, notReceived(err)
	}
	header := outgoing()
	header.Set("Content-Type", contentType)
	return header, body, nil
}

// notReceived says why there is no body. What goes wrong with the parts is a fault already, so the rest is about the
// file that they are kept in.
func notReceived(err error) error {
	known, isKnown := errors.AsType[*fault.Error](err)
	switch {
	case isKnown:
		return known
	case errors.Is(err, spool.ErrTooLarge):
		return fault.New(fault.Invalid, "field chunk: the file is too long; with the form around it %d MiB are the most", spool.MaxBytes>>20)
	}
	return fault.Wrap(fault.Internal, err, "keep body")
}

// partSource is where the parts of an upload come from.
type partSource interface {
	// Recv returns the next part, or io.EOF after the last.
	Recv() (*apiproxyv1.UploadRequest, error)
}

// fileReader reads the chunks of an upload as one file, which is not empty.
type fileReader struct {
	parts partSource
	chunk []byte
	begun bool
}

// Read implements io.Reader.
func (f *fileReader) Read(p []byte) (int, error) {
	for len(f.chunk) == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.chunk)
	f.chunk = f.chunk[n:]
	return n, nil
}

// next takes the next chunk, which may be empty.
func (f *fileReader) next() error {
	part, err := f.parts.Recv()
	switch {
	case errors.Is(err, io.EOF) && !f.begun:
		return fault.New(fault.Invalid, "field chunk: the file is empty; send its bytes after the head")
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return cutShort(err)
	case part.GetHead() != nil:
		return fault.New(fault.Invalid, "field head: a second head; one upload sends one file")
	}
	f.chunk = part.GetChunk()
	f.begun = f.begun || len(f.chunk) > 0
	return nil
}

// cutShort says that a part of an upload did not come. Of one that is longer than the library takes in one message,
// it has told the caller already.
func cutShort(err error) error {
	return fault.Wrap(fault.Deadline, fmt.Errorf("read upload: %w", err), "the upload ended before the file was whole; nothing was sent to WeChat")
}
