package rpcapi

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
)

// pieceBytes is how much of a download is in one message.
const pieceBytes = 64 << 10

// Download makes a call whose answer may be a file and passes the answer on piece by piece, each when the caller
// has room for it, so that no file is ever in memory.
func (s *Server) Download(req *apiproxyv1.DownloadRequest, stream apiproxyv1.ApiProxyService_DownloadServer) error {
	ctx := stream.Context()
	c, err := s.admitJSON(ctx, req, "")
	if err != nil {
		return err
	}
	answer, err := s.do(ctx, c, req.GetBody())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := stream.Send(&apiproxyv1.DownloadResponse{Part: &apiproxyv1.DownloadResponse_Head{Head: downloadHead(answer)}}); err != nil {
		return err
	}
	return pump(ctx, stream, answer.Body)
}

// pump sends a body in pieces. Each is a slice of its own, because the library may look at a message later.
func pump(ctx context.Context, stream apiproxyv1.ApiProxyService_DownloadServer, body io.Reader) error {
	for {
		piece := make([]byte, pieceBytes)
		n, err := body.Read(piece)
		if n > 0 {
			if err := stream.Send(&apiproxyv1.DownloadResponse{Part: &apiproxyv1.DownloadResponse_Chunk{Chunk: piece[:n]}}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			// Not err itself, which might quote the other side.
			return fault.Wrap(fault.Deadline, io.ErrUnexpectedEOF,
				"the connection to WeChat broke before the end; what was received is not whole, so throw it away")
		}
	}
}

// downloadHead tells what is known before the body.
func downloadHead(a *forward.Answer) *apiproxyv1.DownloadHead {
	return &apiproxyv1.DownloadHead{
		HttpStatus:    int32(a.Status), //nolint:gosec // net/http bounds a status to three digits.
		ContentType:   validUTF8(a.Header.Get("Content-Type")),
		FileName:      fileName(a.Header.Get("Content-Disposition")),
		ContentLength: contentLength(a.Header),
		Errcode:       int32(a.Code), //nolint:gosec // WeChat's codes have at most seven digits.
		Errmsg:        validUTF8(a.Message),
	}
}

// contentLength returns how many bytes follow, or -1 when the header does not say.
func contentLength(h http.Header) int64 {
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return -1
	}
	return length
}

// fileName returns the name in a Content-Disposition, empty if there is none. It never names a folder, so that
// whoever saves a file under it does not leave the folder of its choice.
func fileName(disposition string) string {
	_, parameters, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	name := path.Base(strings.ReplaceAll(strings.ToValidUTF8(parameters["filename"], "?"), `\`, "/"))
	if name == "." || name == ".." || name == "/" {
		return ""
	}
	return name
}
