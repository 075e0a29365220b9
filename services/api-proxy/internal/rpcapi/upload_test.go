package rpcapi

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parts are the parts of an upload, and how it ends.
type parts struct {
	left []*apiproxyv1.UploadRequest
	end  error
}

func (p *parts) Recv() (*apiproxyv1.UploadRequest, error) {
	if len(p.left) == 0 {
		return nil, p.end
	}
	first := p.left[0]
	p.left = p.left[1:]
	return first, nil
}

func head(h *apiproxyv1.UploadHead) *apiproxyv1.UploadRequest {
	return &apiproxyv1.UploadRequest{Part: &apiproxyv1.UploadRequest_Head{Head: h}}
}

func chunk(data string) *apiproxyv1.UploadRequest {
	return &apiproxyv1.UploadRequest{Part: &apiproxyv1.UploadRequest_Chunk{Chunk: []byte(data)}}
}

// chunks are so many MiB.
func chunks(count int) []*apiproxyv1.UploadRequest {
	return slices.Repeat([]*apiproxyv1.UploadRequest{chunk(strings.Repeat("x", 1<<20))}, count)
}

func TestTheHeadComesFirst(t *testing.T) {
	t.Parallel()
	good := &apiproxyv1.UploadHead{Path: "/a"}
	if got, err := headOf(&parts{left: []*apiproxyv1.UploadRequest{head(good)}}); err != nil || got != good {
		t.Errorf("head %v, %v", got, err)
	}
	for name, tt := range map[string]struct {
		parts *parts
		kind  fault.Kind
	}{
		"nothing": {&parts{end: io.EOF}, fault.Invalid},
		"chunk":   {&parts{left: []*apiproxyv1.UploadRequest{chunk("a")}}, fault.Invalid},
		"no part": {&parts{left: []*apiproxyv1.UploadRequest{{}}}, fault.Invalid},
		"it left": {&parts{end: context.Canceled}, fault.Deadline},
	} {
		if _, err := headOf(tt.parts); err == nil || fault.KindOf(err) != tt.kind {
			t.Errorf("%s: error %v, want kind %s", name, err, tt.kind)
		}
	}
}

func TestAFileIsReadInAnyPieces(t *testing.T) {
	t.Parallel()
	for name, pieces := range map[string][]*apiproxyv1.UploadRequest{
		"one": {chunk("abcdef")}, "many": {chunk("a"), chunk("bcde"), chunk("f")}, "with empty ones": {chunk(""), chunk("abc"), {}, chunk(""), chunk("def"), chunk("")},
	} {
		if err := iotest.TestReader(&fileReader{parts: &parts{left: pieces, end: io.EOF}}, []byte("abcdef")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	s := New(nil, nil, nil, t.TempDir())
	upload := &apiproxyv1.UploadHead{FileName: "a.amr"}
	for kind, want := range map[endpoint.BodyKind]string{endpoint.Binary: "audio/amr", endpoint.Multipart: "multipart/form-data"} {
		header, body, err := s.receive(kind, upload, &parts{left: []*apiproxyv1.UploadRequest{chunk("ab"), chunk("c")}, end: io.EOF})
		if err != nil {
			t.Fatal(err)
		}
		if got := header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: content type %s, want %s", kind, got, want)
		}
		if kind == endpoint.Binary {
			got, err := io.ReadAll(body.Reader())
			if diff := cmp.Diff("abc", string(got)); diff != "" || err != nil {
				t.Errorf("body %v (-want +got):\n%s", err, diff)
			}
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsNotReceived(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		dir  string
		left []*apiproxyv1.UploadRequest
		end  error
		kind fault.Kind
		word string
	}{
		"empty":       {dir, nil, io.EOF, fault.Invalid, "empty"},
		"only air":    {dir, []*apiproxyv1.UploadRequest{chunk(""), {}}, io.EOF, fault.Invalid, "empty"},
		"second head": {dir, []*apiproxyv1.UploadRequest{chunk("a"), head(&apiproxyv1.UploadHead{})}, io.EOF, fault.Invalid, "second head"},
		"cut":         {dir, chunks(2), status.Error(codes.Canceled, "left"), fault.Deadline, "nothing was sent"},
		"cut early":   {dir, chunks(1), context.DeadlineExceeded, fault.Deadline, "nothing was sent"},
		"too long":    {dir, chunks(33), io.EOF, fault.Invalid, "32 MiB"},
		"no folder":   {filepath.Join(dir, "absent"), chunks(2), io.EOF, fault.Internal, "API_PROXY_SPOOL_DIR"},
	} {
		for _, kind := range []endpoint.BodyKind{endpoint.Multipart, endpoint.Binary} {
			_, _, err := New(nil, nil, nil, tt.dir).receive(kind, &apiproxyv1.UploadHead{FileName: "a.jpg"}, &parts{tt.left, tt.end})
			if err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.word) {
				t.Errorf("%s, %s: error %v, want kind %s with %q", name, kind, err, tt.kind, tt.word)
			}
		}
	}
}

func TestTheLongestFile(t *testing.T) {
	t.Parallel()
	_, body, err := New(nil, nil, nil, t.TempDir()).receive(endpoint.Binary, &apiproxyv1.UploadHead{}, &parts{left: chunks(32), end: io.EOF})
	if err != nil || body.Size() != spool.MaxBytes {
		t.Fatalf("%v, %v", body, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}

func TestDownloadHead(t *testing.T) {
	t.Parallel()
	for disposition, want := range map[string]string{
		`attachment; filename="a b.jpg"`:             "a b.jpg",
		`attachment; filename=a.jpg`:                 "a.jpg",
		`attachment; filename="猫.mp4"`:               "猫.mp4",
		`attachment; filename*=UTF-8''%E7%8C%AB.mp4`: "猫.mp4",
		`attachment; filename="../../etc/passwd"`:    "passwd",
		`attachment; filename="C:\\Windows\\a.exe"`:  "a.exe",
		`attachment; filename=".."`:                  "",
		`attachment; filename="/"`:                   "",
		"attachment; filename=\"\xc3\x28.jpg\"":      "?(.jpg",
		`attachment`:                                 "", ``: "", `;;`: "", `attachment; filename="a`: "",
	} {
		if got := fileName(disposition); got != want {
			t.Errorf("%s: %q, want %q", disposition, got, want)
		}
	}
	for length, want := range map[string]int64{"": -1, "0": 0, "12": 12, "-5": -1, "x": -1} {
		if got := contentLength(http.Header{"Content-Length": {length}}); got != want {
			t.Errorf("length %q: %d, want %d", length, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	f.Add(`attachment; filename="a.jpg"`)
	f.Add(`attachment; filename*=UTF-8''..%2F%00`)
	f.Add(`attachment; filename="a\\..\\.."`)
	f.Fuzz(func(t *testing.T, disposition string) {
		name := fileName(disposition)
		if strings.ContainsAny(name, `/\`) || name == "." || name == ".." || strings.ToValidUTF8(name, "") != name {
			t.Errorf("%q gives %q", disposition, name)
		}
	})
}
