package proxies

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

const mega = 1 << 20

// An upload of 20 MB whose token was replaced at WeChat a moment ago arrives whole at the second attempt, which its
// caller doesn't notice.
func TestALongUploadIsHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, unlimited)
	if r := newHTTP(t, "http://"+w.proxies[0].Addr).do(t.Context(), read("crm")); r.outcome != done {
		t.Fatal(r)
	}
	if err := w.platform.RotateToken(account.DevelopmentAppID, simulator.TokenStable); err != nil {
		t.Fatal(err)
	}
	form, contentType := video(t, 20*mega)
	digest := sha256.Sum256(form)
	answer := w.request(t, http.MethodPost, "/cgi-bin/material/add_material?type=video", contentType, bytes.NewReader(form))
	defer answer.Body.Close()
	var verdict struct {
		ErrCode int    `json:"errcode"`
		MediaID string `json:"media_id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&verdict); err != nil || answer.StatusCode != http.StatusOK || verdict.MediaID == "" {
		t.Errorf("status %d, verdict %+v, %v", answer.StatusCode, verdict, err)
	}
	whole := w.wechat.digests("/cgi-bin/material/add_material")
	if len(whole) != 2 || whole[0] != digest || whole[1] != digest {
		t.Errorf("WeChat got %d uploads, %x; want the same one twice: rejected, then healed", len(whole), whole)
	}
}

// video is a form with a permanent video (永久视频) of so many bytes.
func video(t *testing.T, size int) (form []byte, contentType string) {
	t.Helper()
	var out bytes.Buffer
	writer := multipart.NewWriter(&out)
	part, err := writer.CreateFormFile("media", "a.mp4")
	if err == nil {
		_, err = part.Write(append([]byte("\x00\x00\x00\x18ftypmp42"), bytes.Repeat([]byte("0123456789abcdef"), size/16)...))
	}
	err = errors.Join(err, writer.WriteField("description", `{"title":"标题","introduction":"简介"}`), writer.Close())
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), writer.FormDataContentType()
}

// request makes a call at the first replica.
func (w *world) request(t *testing.T, method, uri, contentType string, body io.Reader) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.proxies[0].Addr+uri, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+keyOf("crm"))
	req.Header.Set("X-Wx-Appid", account.DevelopmentAppID)
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// A download of 50 MB costs the process a few buffers, however slowly it is taken.
func TestALongDownloadNeedsNoMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, unlimited)
	const size, most = 50 * mega, 12 * mega
	file, err := w.platform.AddSyntheticMedia(account.DevelopmentAppID, "video", size)
	if err != nil {
		t.Fatal(err)
	}
	before := w.resident(w.proxies[0])
	answer := w.request(t, http.MethodGet, "/cgi-bin/media/get?media_id="+file.MediaID, "", http.NoBody)
	defer answer.Body.Close()
	digest := sha256.New()
	for read := int64(0); ; {
		n, err := io.CopyN(digest, answer.Body, 5*mega)
		if read += n; read > 0 {
			if grown := w.resident(w.proxies[0]) - before; grown > most {
				t.Errorf("after %d MB of the download the process has %.1f MB more than before", read/mega, grown/mega)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != file.SHA256 {
		t.Errorf("the digest is %s, want %s", got, file.SHA256)
	}
}

// resident is how much memory a replica has, in bytes.
func (w *world) resident(r *harness.Replica) float64 {
	w.t.Helper()
	return w.metric(r, "process_resident_memory_bytes")
}
