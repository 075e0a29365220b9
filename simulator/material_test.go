package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// uploadBody makes a multipart form with a file and, if there is one, a description.
func uploadBody(t testing.TB, data []byte, description string) (string, *bytes.Buffer) {
	t.Helper()
	body := new(bytes.Buffer)
	form := multipart.NewWriter(body)
	if description != "" {
		if err := form.WriteField("description", description); err != nil {
			t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("media", "a.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}

	return form.FormDataContentType(), body
}

// upload sends a form to a path with its query.
func upload(t *testing.T, platform *Platform, target, contentType string, body io.Reader) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, platform.URL()+target, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: status %d: %v", target, response.StatusCode, err)
	}

	return answer
}

func textOf(answer map[string]any, name string) string {
	text, _ := answer[name].(string)

	return text
}

// TestMaterial covers api.md section 5, permanent material, with an upload that is
// larger than WeChat's own limit.
func TestMaterial(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := withToken(stableToken(t, platform))
	add := func(kind, description string, data []byte) map[string]any {
		contentType, body := uploadBody(t, data, description)

		return upload(t, platform, "/cgi-bin/material/add_material?type="+kind+"&"+token.Encode(), contentType, body)
	}
	call := func(path, body string) map[string]any {
		return api(t, platform, http.MethodPost, "/cgi-bin/material/"+path, token, body)
	}
	film := append(media.Sample(media.Video), bytes.Repeat([]byte{0, 1, 2, 3}, 5<<20)...)
	video := textOf(add(media.Video, `{"title":"片名","introduction":"简介"}`, film), "media_id")
	if shown := call("get_material", `{"media_id":"`+video+`"}`); shown["title"] != "片名" || shown["description"] != "简介" {
		t.Errorf("video: %v", shown)
	} else if _, data := request(t, http.MethodGet, textOf(shown, "down_url"), ""); !bytes.Equal(data, bytes.TrimSpace(film)) {
		t.Errorf("the video has %d bytes at its address, want %d", len(data), len(film))
	}

	picture := add(media.Image, "", media.SamplePicture())
	image := textOf(picture, "media_id")
	if status, _ := request(t, http.MethodGet, textOf(picture, "url"), ""); status != http.StatusOK {
		t.Errorf("the picture's address answers %d: %v", status, picture)
	}
	if _, data := request(t, http.MethodPost, platform.URL()+"/cgi-bin/material/get_material?"+token.Encode(), `{"media_id":"`+image+`"}`); !bytes.Equal(data, bytes.TrimSpace(media.SamplePicture())) {
		t.Errorf("get_material returned %d bytes", len(data))
	}

	counts := api(t, platform, http.MethodGet, "/cgi-bin/material/get_materialcount", token, "")
	if counts["video_count"] != 1.0 || counts["image_count"] != 1.0 || counts["voice_count"] != 0.0 || counts["news_count"] != 1.0 {
		t.Errorf("counts: %v", counts)
	}
	if list := call("batchget_material", `{"type":"image","offset":0,"count":20}`); list["total_count"] != 1.0 || list["item_count"] != 1.0 || !strings.Contains(fmt.Sprint(list["item"]), image) {
		t.Errorf("list: %v", list)
	}
	if list := call("batchget_material", `{"type":"image","offset":7,"count":1}`); list["total_count"] != 1.0 || list["item_count"] != 0.0 {
		t.Errorf("behind the end: %v", list)
	}
	if news := call("get_material", `{"media_id":"`+DefaultNewsID+`"}`); news["news_item"] == nil {
		t.Errorf("news: %v", news)
	}
	if err := platform.AdvanceClock(mediaShelfLife + time.Hour); err != nil {
		t.Fatal(err)
	}
	token = withToken(stableToken(t, platform))
	menu := `{"button":[{"type":"media_id","name":"图","media_id":"` + image + `"}]}`
	if got := errCode(api(t, platform, http.MethodPost, "/cgi-bin/menu/create", token, menu)); got != 0 {
		t.Fatalf("menu: %d", got)
	}
	for number, test := range []struct {
		path, body string
		want       errcode.Code
	}{
		{"del_material", `{"media_id":"` + image + `"}`, errcode.MediaInUse},
		{"del_material", `{"media_id":"` + video + `"}`, errcode.OK},
		{"del_material", `{"media_id":"` + video + `"}`, errcode.MediaID},
		{"get_material", `{"media_id":"` + video + `"}`, errcode.MediaID},
		{"batchget_material", `{"type":"image","offset":0,"count":21}`, errcode.Arguments},
		{"batchget_material", `{"type":"thumb","offset":0,"count":1}`, errcode.MediaType},
	} {
		if got := errCode(call(test.path, test.body)); got != int(test.want) {
			t.Errorf("%d %s: %d, want %d", number, test.path, got, test.want)
		}
	}
}

// TestUploadRefusals covers the codes of uploads, for temporary and permanent
// material and the pictures of articles.
func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := "access_token=" + stableToken(t, platform)
	const temporary, permanent, picture = "/cgi-bin/media/upload?type=", "/cgi-bin/material/add_material?type=", "/cgi-bin/media/uploadimg?"
	for name, test := range map[string]struct {
		target, description string
		data                []byte
		want                errcode.Code
	}{
		"unknown kind":         {temporary + "film", "", []byte("x"), errcode.MediaType},
		"news as a file":       {permanent + "news", "", []byte("x"), errcode.MediaType},
		"empty file":           {temporary + media.Voice, "", nil, errcode.MediaMissing},
		"text as a picture":    {permanent + media.Image, "", []byte("x"), errcode.FileType},
		"temporary video":      {temporary + media.Video, "", make([]byte, 10<<20+1), errcode.FileSize},
		"no description":       {permanent + media.Video, "", media.Sample(media.Video), errcode.Arguments},
		"bad description":      {permanent + media.Video, "{", media.Sample(media.Video), errcode.JSON},
		"no title":             {permanent + media.Video, `{"introduction":"x"}`, media.Sample(media.Video), errcode.Arguments},
		"video":                {permanent + media.Video, `{"title":"x"}`, media.Sample(media.Video), errcode.OK},
		"voice":                {permanent + media.Voice, "", media.Sample(media.Voice), errcode.OK},
		"text as a voice":      {temporary + media.Voice, "", []byte("x"), errcode.FileType},
		"text as a video":      {permanent + media.Video, `{"title":"x"}`, []byte("x"), errcode.FileType},
		"article's picture":    {picture, "", media.SamplePicture(), errcode.OK},
		"large picture":        {picture, "", append(media.SamplePicture(), make([]byte, maxArticlePicture)...), errcode.PictureSize},
		"article's other file": {picture, "", []byte("x"), errcode.FileType},
	} {
		contentType, body := uploadBody(t, test.data, test.description)
		given := upload(t, platform, test.target+"&"+token, contentType, body)
		if got := errCode(given); got != int(test.want) {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
	contentType, body := uploadBody(t, []byte("x"), "")
	if got := errCode(upload(t, platform, temporary+"voice&"+token, contentType, io.MultiReader(body))); got != int(errcode.MediaMissing) {
		t.Errorf("chunked: %d, want %d", got, errcode.MediaMissing)
	}
	form := "--b\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nvoice\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\r\n#!AMR\nx\r\n--b--\r\n"
	for _, path := range []string{temporary, permanent} {
		if given := upload(t, platform, path+"&"+token, "multipart/form-data; boundary=b", strings.NewReader(form)); textOf(given, "media_id") == "" {
			t.Errorf("%s with the type in the form: %v", path, given)
		}
	}
	if got := errCode(upload(t, platform, temporary+"voice&"+token, "application/json", strings.NewReader("{}"))); got != int(errcode.MediaMissing) {
		t.Errorf("no form: %d, want %d", got, errcode.MediaMissing)
	}
}

// TestLargeDownload makes sure that a file of any size arrives whole, with its
// headers, and takes no room in the store.
func TestLargeDownload(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	const length = 50<<20 + 1
	made := steer(t, platform, http.MethodPost, "media", fmt.Sprintf(`{"kind":"video","bytes":%d}`, length), http.StatusOK)
	target := platform.URL() + "/cgi-bin/media/get?media_id=" + textOf(made, "media_id") + "&access_token=" + stableToken(t, platform)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.ContentLength != length || response.Header.Get("Content-Type") != "video/mp4" ||
		!strings.HasPrefix(response.Header.Get("Content-Disposition"), "attachment; filename=") {
		t.Errorf("headers: %v", response.Header)
	}
	digest := sha256.New()
	if read, err := io.Copy(digest, response.Body); err != nil || read != length {
		t.Fatalf("read %d bytes: %v", read, err)
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != made["sha256"] {
		t.Errorf("sha256 %s, announced %v", got, made["sha256"])
	}
	other, err := platform.AddSyntheticMedia("", media.Video, length)
	if err != nil || other.SHA256 == made["sha256"] {
		t.Errorf("another file must differ: %+v, %v", other, err)
	}
	for name, body := range map[string]string{
		"unknown kind": `{"kind":"film","bytes":100}`, "no bytes": `{"kind":"video"}`,
		"unknown account": `{"account":"wx","kind":"video","bytes":100}`,
		"too many bytes":  fmt.Sprintf(`{"kind":"video","bytes":%d}`, 1<<30+1),
	} {
		if refused := steer(t, platform, http.MethodPost, "media", body, http.StatusBadRequest); textOf(refused, "error") == "" {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func FuzzReadForm(f *testing.F) {
	contentType, body := uploadBody(f, []byte("data"), `{"title":"x"}`)
	f.Add(contentType, body.Bytes())
	f.Add("multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		form, ok := readForm(contentType, body)
		if len(form.media) > len(body) || (!ok && form.media != nil) {
			t.Errorf("ok %t, %d bytes of %d", ok, len(form.media), len(body))
		}
	})
}
