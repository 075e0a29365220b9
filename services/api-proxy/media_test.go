package apiproxy_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
)

// file is a file of so many bytes, the same each time.
func file(size int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{}), size) }

// sum names a content.
func sum(t *testing.T, r io.Reader) string {
	t.Helper()
	all := sha256.New()
	if _, err := io.Copy(all, r); err != nil {
		t.Errorf("read content: %v", err)
	}
	return name(all)
}

func name(all hash.Hash) string { return hex.EncodeToString(all.Sum(nil)) }

func headPart(head *apiproxyv1.UploadHead) *apiproxyv1.UploadRequest {
	return &apiproxyv1.UploadRequest{Part: &apiproxyv1.UploadRequest_Head{Head: head}}
}

func chunkPart(chunk []byte) *apiproxyv1.UploadRequest {
	return &apiproxyv1.UploadRequest{Part: &apiproxyv1.UploadRequest_Chunk{Chunk: chunk}}
}

// uploadFile uploads in pieces of 1 MiB.
func uploadFile(ctx context.Context, client apiproxyv1.ApiProxyServiceClient, head *apiproxyv1.UploadHead, content io.Reader) (*apiproxyv1.UploadResponse, error) {
	stream, err := client.Upload(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(headPart(head))
	for err == nil {
		piece := make([]byte, 1<<20)
		n, readErr := io.ReadFull(content, piece)
		if n > 0 {
			err = stream.Send(chunkPart(piece[:n]))
		}
		if readErr != nil {
			break
		}
	}
	return stream.CloseAndRecv() // a Send that fails says less.
}

// received is an upload as WeChat reads it.
type received struct {
	Chunked bool
	Parts   []string // name, file name, content type and content of each.
}

func readForm(t *testing.T, r *http.Request) received {
	t.Helper()
	got := received{Chunked: r.ContentLength < 0 || len(r.TransferEncoding) > 0}
	form, err := r.MultipartReader()
	if err != nil {
		t.Error(err)
		return got
	}
	for {
		var part *multipart.Part
		if part, err = form.NextPart(); err != nil {
			break
		}
		got.Parts = append(got.Parts, strings.Join([]string{part.FormName(), part.FileName(), part.Header.Get("Content-Type"), sum(t, part)}, "|"))
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("form: %v", err)
	}
	return got
}

// A token that somebody else voided is healed with the file sent again, as over HTTP; see
// TestHealingSendsTheWholeBodyAgain.
func TestAHealedUploadArrivesWhole(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	var got received
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		got = readForm(t, r)
		_, _ = io.WriteString(w, `{"type":"video","media_id":"M","created_at":1}`)
	})
	wechat.accept(tokenOf(appID, 2))
	c := startCenter(t, appID)
	folders := filepath.Dir(t.TempDir()) // the spool is beside it.
	client := dial(t, startProxy(t, c, wechat.URL))
	resp, err := uploadFile(t.Context(), client, &apiproxyv1.UploadHead{
		Path: "/cgi-bin/material/add_material?type=video", FileName: "猫.mp4", FormFields: map[string]string{"description": `{"title":"猫"}`},
	}, file(size))
	if err != nil {
		t.Fatal(err)
	}
	want := &apiproxyv1.UploadResponse{
		HttpStatus: http.StatusOK, ContentType: "text/plain; charset=utf-8", Body: []byte(`{"type":"video","media_id":"M","created_at":1}`),
	}
	if diff := cmp.Diff(want, resp, protocmp.Transform()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	form := received{Parts: []string{"media|猫.mp4|video/mp4|" + sum(t, file(size)), "description|||" + sum(t, strings.NewReader(`{"title":"猫"}`))}}
	if diff := cmp.Diff(form, got); diff != "" {
		t.Errorf("WeChat got (-want +got):\n%s", diff)
	}
	if c.refreshed() != 1 || wechat.served() != 2 {
		t.Errorf("%d refreshes and %d requests, want 1 and 2", c.refreshed(), wechat.served())
	}
	awaitBodies(t, folders, 0)
}

func TestAnUploadOfBareBytes(t *testing.T) {
	t.Parallel()
	var got string
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.URL.Path, r.Header.Get("Content-Type"), r.ContentLength, string(body))
		sayOK(w, r)
	})
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	const path = "/cgi-bin/media/voice/addvoicetorecofortext"
	resp, err := uploadFile(t.Context(), client, &apiproxyv1.UploadHead{Path: path + "?format=mp3", FileName: "a.mp3"}, strings.NewReader("sound"))
	if want := path + "audio/mpeg5sound"; err != nil || resp.GetErrmsg() != "ok" || got != want {
		t.Errorf("answer %v, %v; WeChat got %q, want %q", resp, err, got, want)
	}
	_, err = uploadFile(t.Context(), client, &apiproxyv1.UploadHead{Path: path, FormFields: map[string]string{"a": "b"}}, strings.NewReader("sound"))
	wantKind(t, err, fault.Invalid, "bare bytes")
}

func TestAnUploadWithAKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		readForm(t, r)
		_, _ = io.WriteString(w, `{"media_id":"M"}`)
	})
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	head := &apiproxyv1.UploadHead{Path: "/cgi-bin/media/upload?type=image", FileName: "a.jpg", IdempotencyKey: "picture-1"}
	for range 2 {
		resp, err := uploadFile(t.Context(), client, head, strings.NewReader("cat"))
		if err != nil || string(resp.GetBody()) != `{"media_id":"M"}` {
			t.Errorf("answer %v, %v", resp, err)
		}
	}
	_, err := uploadFile(t.Context(), client, head, strings.NewReader("dog"))
	wantKind(t, err, fault.Invalid, "another request")
	if wechat.served() != 1 {
		t.Errorf("%d requests, want 1", wechat.served())
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, sayOK)
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	const media = "/cgi-bin/media/upload"
	for name, tt := range map[string]struct {
		head *apiproxyv1.UploadHead
		size int64
		kind fault.Kind
		word string
	}{
		"JSON":        {&apiproxyv1.UploadHead{Path: "/cgi-bin/menu/create"}, 1, fault.Invalid, "/cgi-bin/menu/create takes JSON"},
		"unlisted":    {&apiproxyv1.UploadHead{Path: "/cgi-bin/new"}, 1, fault.Invalid, "/cgi-bin/new"},
		"path":        {&apiproxyv1.UploadHead{Path: "http://evil.example/"}, 1, fault.Invalid, "head.path"},
		"account":     {&apiproxyv1.UploadHead{Path: media, AppId: "wxother"}, 1, fault.NotFound, "wxother"},
		"token":       {&apiproxyv1.UploadHead{Path: "/cgi-bin/token"}, 1, fault.Precondition, "token-center"},
		"key":         {&apiproxyv1.UploadHead{Path: media, FileName: "a.jpg", IdempotencyKey: "a b"}, 1, fault.Invalid, "idempotency_key"},
		"no name":     {&apiproxyv1.UploadHead{Path: media}, 1, fault.Invalid, "head.file_name"},
		"second line": {&apiproxyv1.UploadHead{Path: media, FileName: "a\r\nX: y"}, 1, fault.Invalid, "head.file_name"},
		"empty":       {&apiproxyv1.UploadHead{Path: media, FileName: "a.jpg"}, 0, fault.Invalid, "empty"},
		"too long":    {&apiproxyv1.UploadHead{Path: media, FileName: "a.jpg"}, 32 << 20, fault.Invalid, "32 MiB"},
	} {
		_, err := uploadFile(t.Context(), client, tt.head, file(tt.size))
		if err == nil || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("%s: error %v, want kind %s with %q", name, err, tt.kind, tt.word)
		}
	}
	for name, parts := range map[string][]*apiproxyv1.UploadRequest{
		"its head": {}, "must be the head": {chunkPart([]byte("a"))},
		"second head": {headPart(&apiproxyv1.UploadHead{Path: media, FileName: "a.jpg"}), headPart(&apiproxyv1.UploadHead{})},
	} {
		stream, err := client.Upload(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			_ = stream.Send(part) // the answer tells.
		}
		_, err = stream.CloseAndRecv()
		wantKind(t, err, fault.Invalid, name)
	}
	if wechat.served() != 0 {
		t.Errorf("%d requests reached WeChat", wechat.served())
	}
}

// download is a download over one of the faces.
type download struct {
	head *apiproxyv1.DownloadHead // of gRPC.
	body io.Reader
	stop func()
}

// faces are the ways to fetch a file. A download must be read to its end or stopped.
func faces(p *proxy) map[string]func(ctx context.Context, uri string) download {
	client := dial(p.t, p)
	return map[string]func(ctx context.Context, uri string) download{
		"HTTP": func(ctx context.Context, uri string) download {
			ctx, cancel := context.WithCancel(ctx)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTPAddr()+uri, http.NoBody)
			if err != nil {
				p.t.Fatal(err)
			}
			resp, err := p.client.Do(req)
			if err != nil {
				p.t.Fatal(err)
			}
			return download{body: resp.Body, stop: func() { cancel(); _ = resp.Body.Close() }}
		},
		"gRPC": func(ctx context.Context, uri string) download {
			ctx, cancel := context.WithCancel(ctx)
			stream, err := client.Download(ctx, &apiproxyv1.DownloadRequest{Path: uri})
			if err != nil {
				p.t.Fatal(err)
			}
			first, err := stream.Recv()
			if err != nil || first.GetHead() == nil {
				p.t.Fatalf("first part %v, %v; want the head", first, err)
			}
			return download{head: first.GetHead(), body: &pieces{t: p.t, next: stream.Recv}, stop: cancel}
		},
	}
}

// pieces reads the chunks of a download.
type pieces struct {
	t     testing.TB
	next  func() (*apiproxyv1.DownloadResponse, error)
	piece []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.piece) == 0 {
		part, err := p.next()
		if err != nil {
			return 0, err
		}
		if p.piece = part.GetChunk(); len(p.piece) == 0 || len(p.piece) > 64<<10 {
			p.t.Errorf("a chunk of %d bytes, want 1 to 64 KiB", len(p.piece))
		}
	}
	n := copy(b, p.piece)
	p.piece = p.piece[n:]
	return n, nil
}

const longDownload = 50 << 20

func TestALongDownloadArrivesWhole(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Content-Disposition", `attachment; filename="../a.mp4"`)
		w.Header().Set("Content-Length", strconv.Itoa(longDownload))
		_, _ = io.Copy(w, file(longDownload))
	})
	want := sum(t, file(longDownload))
	for face, fetch := range faces(startProxy(t, startCenter(t, appID), wechat.URL)) {
		got := fetch(t.Context(), "/cgi-bin/media/get?media_id=M")
		if content := sum(t, got.body); content != want {
			t.Errorf("%s: content %s, want %s", face, content, want)
		}
		got.stop()
		head := &apiproxyv1.DownloadHead{HttpStatus: http.StatusOK, ContentType: "video/mp4", FileName: "a.mp4", ContentLength: longDownload}
		if diff := cmp.Diff(head, got.head, protocmp.Transform()); got.head != nil && diff != "" {
			t.Errorf("head (-want +got):\n%s", diff)
		}
	}
}

// Memory stays flat because WeChat cannot send what nobody takes: what it can is in the buffers of the connections,
// which are of 4 to 6 MB at each end.
func TestADownloadWaitsForWhoeverTakesIt(t *testing.T) {
	t.Parallel()
	stuck := make(chan int64)
	wechat := startPlatform(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Content-Length", strconv.Itoa(longDownload))
		control, content, sent := http.NewResponseController(w), file(longDownload), int64(0)
		for {
			_ = control.SetWriteDeadline(time.Now().Add(time.Second))
			n, err := io.CopyN(w, content, 64<<10)
			if sent += n; err != nil || sent == longDownload {
				break
			}
		}
		stuck <- sent
		panic(http.ErrAbortHandler)
	})
	for face, fetch := range faces(startProxy(t, startCenter(t, appID), wechat.URL)) {
		got := fetch(t.Context(), "/cgi-bin/media/get?media_id=M")
		if _, err := io.ReadFull(got.body, make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", face, err)
		}
		if sent := <-stuck; sent > longDownload*6/10 {
			t.Errorf("%s: WeChat could send %d bytes to nobody", face, sent)
		}
		got.stop()
	}
}

func TestADownloadOverGRPC(t *testing.T) {
	t.Parallel()
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "image/jpeg")
		switch r.URL.Query().Get("media_id") {
		case "gone":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, `{"errcode":40007,"errmsg":"invalid media_id"}`)
		case "cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, r.Method+string(body))
			_ = http.NewResponseController(w).Flush() // so that nobody knows the length.
		}
	})
	client := dial(t, startProxy(t, startCenter(t, appID), wechat.URL))
	for name, tt := range map[string]struct {
		req  *apiproxyv1.DownloadRequest
		head *apiproxyv1.DownloadHead
		body string
		kind fault.Kind
		word string
	}{
		"by POST": {
			&apiproxyv1.DownloadRequest{Path: "/cgi-bin/material/get_material", Body: []byte(`{"media_id":"M"}`)},
			&apiproxyv1.DownloadHead{HttpStatus: http.StatusOK, ContentType: "image/jpeg", ContentLength: -1}, `POST{"media_id":"M"}`, "", "",
		},
		"refused by WeChat": {
			&apiproxyv1.DownloadRequest{Path: "/cgi-bin/media/get?media_id=gone"},
			&apiproxyv1.DownloadHead{
				HttpStatus: http.StatusOK, ContentType: "text/plain", ContentLength: 45, Errcode: 40007, Errmsg: "invalid media_id",
			}, `{"errcode":40007,"errmsg":"invalid media_id"}`, "", "",
		},
		"cut": {
			&apiproxyv1.DownloadRequest{Path: "/cgi-bin/media/get?media_id=cut"},
			&apiproxyv1.DownloadHead{HttpStatus: http.StatusOK, ContentType: "image/jpeg", ContentLength: 100}, "half", fault.Deadline, "not whole",
		},
		"path":    {&apiproxyv1.DownloadRequest{Path: "//evil.example/"}, nil, "", fault.Invalid, "field path"},
		"method":  {&apiproxyv1.DownloadRequest{Path: "/a", Method: "PUT"}, nil, "", fault.Invalid, "field method"},
		"upload":  {&apiproxyv1.DownloadRequest{Path: "/cgi-bin/media/upload"}, nil, "", fault.Invalid, "Upload"},
		"token":   {&apiproxyv1.DownloadRequest{Path: "/cgi-bin/token"}, nil, "", fault.Precondition, "token-center"},
		"account": {&apiproxyv1.DownloadRequest{Path: "/a", AppId: "wxother"}, nil, "", fault.NotFound, "wxother"},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := client.Download(t.Context(), tt.req)
			if err != nil {
				t.Fatal(err)
			}
			var head *apiproxyv1.DownloadHead
			first, err := stream.Recv()
			var body []byte
			if err == nil {
				head = first.GetHead()
				body, err = io.ReadAll(&pieces{t: t, next: stream.Recv})
			}
			if diff := cmp.Diff(tt.head, head, protocmp.Transform()); diff != "" || string(body) != tt.body {
				t.Errorf("body %q, head (-want +got):\n%s", body, diff)
			}
			if tt.kind != "" || err != nil {
				wantKind(t, err, tt.kind, tt.word)
			}
		})
	}
}

// WeChat notices a caller who leaves: nothing reads on for nobody.
func TestACallerThatLeavesADownloadEndsIt(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	wechat := startPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		_, _ = io.Copy(w, file(1<<40))
		<-r.Context().Done()
		ended <- struct{}{}
	})
	for face, fetch := range faces(startProxy(t, startCenter(t, appID), wechat.URL)) {
		got := fetch(t.Context(), "/cgi-bin/media/get?media_id=M")
		if _, err := io.ReadFull(got.body, make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", face, err)
		}
		got.stop()
		<-ended
	}
}

// A caller who leaves an upload leaves no file behind, and WeChat hears nothing of it.
func TestACallerThatLeavesAnUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("open files can be seen on Linux only")
	}
	wechat := startPlatform(t, sayOK)
	folders := filepath.Dir(t.TempDir()) // the spool is beside it.
	p := startProxy(t, startCenter(t, appID), wechat.URL)
	client := dial(t, p)
	for face, begin := range map[string]func(ctx context.Context, content io.Reader) error{
		"HTTP": func(ctx context.Context, content io.Reader) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.HTTPAddr()+"/cgi-bin/media/upload", content)
			if err != nil {
				return err
			}
			resp, err := p.client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		},
		"gRPC": func(ctx context.Context, content io.Reader) error {
			_, err := uploadFile(ctx, client, &apiproxyv1.UploadHead{Path: "/cgi-bin/media/upload", FileName: "a.mp4"}, content)
			return err
		},
	} {
		ctx, leave := context.WithCancel(t.Context())
		rest, more := io.Pipe()
		gone := make(chan error, 1)
		go func() { gone <- begin(ctx, io.MultiReader(file(3<<20), rest)) }()
		awaitBodies(t, folders, 1)
		leave()
		_ = more.CloseWithError(errors.New("left"))
		if err := <-gone; err == nil {
			t.Errorf("%s: the upload went well", face)
		}
		awaitBodies(t, folders, 0)
	}
	if wechat.served() != 0 {
		t.Errorf("%d requests reached WeChat", wechat.served())
	}
}

// awaitBodies waits until so many bodies are kept in files of a spool below the folder.
func awaitBodies(t *testing.T, below string, want int) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(20 * time.Second)
	for {
		got := 0
		links, _ := filepath.Glob("/proc/self/fd/*")
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, below) && strings.Contains(to, "api-proxy-body-") {
				got++
			}
		}
		if got == want {
			return
		}
		select {
		case <-giveUp:
			t.Fatalf("%d bodies are kept, want %d", got, want)
		case <-tick.C:
		}
	}
}
