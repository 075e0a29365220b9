package rpcapi

import (
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
)

// piece is one part of a form, as WeChat reads it.
type piece struct{ Name, File, Kind, Content string }

// read returns the parts of a form.
func read(t *testing.T, form io.Reader, contentType string) []piece {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	var pieces []piece
	reader := multipart.NewReader(form, parameters["boundary"])
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return pieces
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		_, said, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			t.Fatalf("%q: %v", part.Header.Get("Content-Disposition"), err)
		}
		pieces = append(pieces, piece{said["name"], said["filename"], part.Header.Get("Content-Type"), string(content)})
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		head *apiproxyv1.UploadHead
		want []piece
	}{
		"media": {&apiproxyv1.UploadHead{FileName: "猫 1.JPG"}, []piece{{"media", "猫 1.JPG", "image/jpeg", "file"}}},
		"permanent video": {
			&apiproxyv1.UploadHead{FileName: "a.mp4", FormFields: map[string]string{"description": `{"title":"视频"}`, "a": "\r\n--x"}},
			[]piece{{"media", "a.mp4", "video/mp4", "file"}, {"a", "", "", "\r\n--x"}, {"description", "", "", `{"title":"视频"}`}},
		},
		"named": {
			&apiproxyv1.UploadHead{FieldName: "buffer", FileName: "a.jpg", ContentType: "image/x"},
			[]piece{{"buffer", "a.jpg", "image/x", "file"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := checkFormHead(tt.head); err != nil {
				t.Fatal(err)
			}
			form, contentType, err := formOf(tt.head, strings.NewReader("file"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, read(t, form, contentType)); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKindsByEnding(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.jpg": "image/jpeg", "a.JPEG": "image/jpeg", "a.png": "image/png", "a.gif": "image/gif", "a.bmp": "image/bmp",
		"a.amr": "audio/amr", "a.mp3": "audio/mpeg", "a.wav": "audio/wav", "a.mp4": "video/mp4",
		"a.exe": unknownKind, "jpg": unknownKind, "": unknownKind,
	} {
		if got := kindOf(&apiproxyv1.UploadHead{FileName: name}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestHeadsThatAreNoForm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		head *apiproxyv1.UploadHead
		word string
	}{
		"no name":                 {&apiproxyv1.UploadHead{}, "head.file_name"},
		"line break in name":      {&apiproxyv1.UploadHead{FileName: "a\r\nX: y.jpg"}, "head.file_name"},
		"quote in name":           {&apiproxyv1.UploadHead{FileName: `a"; name="b.jpg`}, "head.file_name"},
		"backslash in name":       {&apiproxyv1.UploadHead{FileName: `a\.jpg`}, "head.file_name"},
		"line break in field":     {&apiproxyv1.UploadHead{FileName: "a", FieldName: "a\nb"}, "head.field_name"},
		"quote in field":          {&apiproxyv1.UploadHead{FileName: "a", FieldName: `a"b`}, "head.field_name"},
		"line break in kind":      {&apiproxyv1.UploadHead{FileName: "a", ContentType: "image/jpeg\r\nX: y"}, "head.content_type"},
		"no kind":                 {&apiproxyv1.UploadHead{FileName: "a", ContentType: "image jpeg"}, "head.content_type"},
		"line break in form name": {&apiproxyv1.UploadHead{FileName: "a", FormFields: map[string]string{"a\rb": "x"}}, "head.form_fields"},
		"quote in form name":      {&apiproxyv1.UploadHead{FileName: "a", FormFields: map[string]string{`a"`: "x"}}, "head.form_fields"},
		"form field without name": {&apiproxyv1.UploadHead{FileName: "a", FormFields: map[string]string{"": "x"}}, "head.form_fields"},
		"form field of the file":  {&apiproxyv1.UploadHead{FileName: "a", FormFields: map[string]string{"media": "x"}}, "head.form_fields"},
	} {
		err := checkFormHead(tt.head)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("%s: error %v, want kind %s with %q", name, err, fault.Invalid, tt.word)
		}
	}
}

// Whatever a head says, WeChat reads what it said, or it is refused.
func FuzzForm(f *testing.F) {
	f.Add("media", "a.jpg", "image/jpeg", "description", "{}", "file")
	f.Add("", "猫.jpg", "", "a", "\r\n--x\r\n", "\r\n--")
	f.Add("a\r\n", `a"`, "a/b; c=d", "\\", "", "")
	f.Add("", "%22\x7f", "text/plain; charset=utf-8", "=?utf-8?q?a?=", "", "")
	f.Fuzz(func(t *testing.T, field, file, kind, name, value, content string) {
		head := &apiproxyv1.UploadHead{FieldName: field, FileName: file, ContentType: kind, FormFields: map[string]string{name: value}}
		if !utf8Only(head) || checkFormHead(head) != nil {
			return
		}
		form, contentType, err := formOf(head, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		want := []piece{{fieldOf(head), file, strings.TrimSpace(kindOf(head)), content}, {name, "", "", value}}
		if diff := cmp.Diff(want, read(t, form, contentType)); diff != "" {
			t.Errorf("form (-want +got):\n%s", diff)
		}
	})
}

// utf8Only reports whether protobuf would carry the head.
func utf8Only(head *apiproxyv1.UploadHead) bool {
	texts := append([]string{head.GetFieldName(), head.GetFileName(), head.GetContentType()}, slices.Collect(maps.Keys(head.GetFormFields()))...)
	return !slices.ContainsFunc(texts, func(s string) bool { return strings.ToValidUTF8(s, "") != s })
}
