package simulator

import (
	"bytes"
	"cmp"
	"io"
	"mime"
	"mime/multipart"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// uploadForm is what an upload (multipart/form-data) brings.
type uploadForm struct {
	media       []byte // The part media, which must have a file name.
	name        string
	kind        string // The part type, if the query has none.
	description string // The part description, JSON, of a permanent video only.
}

// readForm reads an upload. It fails if there is no file in the part media, or if the
// form ends in the middle of it.
func readForm(contentType string, body []byte) (uploadForm, bool) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || parameters["boundary"] == "" {
		return uploadForm{}, false
	}
	reader := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	var form uploadForm
	found := false
	for {
		part, err := reader.NextPart()
		if err != nil { // The end, or what can't be read; a file that was read before counts.
			return form, found
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return uploadForm{}, false
		}
		switch {
		case part.FormName() == "media" && part.FileName() != "" && !found:
			form.media, form.name, found = data, part.FileName(), true
		case part.FormName() == "description":
			form.description = string(data)
		case part.FormName() == "type":
			form.kind = string(data)
		}
	}
}

// upload reads the file that a call uploads. A form without a Content-Length is
// reported to be refused as if it had no file.
func (r *apiRequest) upload() (uploadForm, errcode.Code) {
	if r.chunked {
		return uploadForm{}, errcode.MediaMissing
	}
	form, ok := readForm(r.header.Get("Content-Type"), r.body)
	if !ok || len(form.media) == 0 {
		return uploadForm{}, errcode.MediaMissing
	}

	return form, errcode.OK
}

// uploadOf reads the file that a call uploads as material and checks it by the rules of
// its kind. The kind is a parameter of the query; in the form it does as well, where
// SDKs in wide use put it.
func (r *apiRequest) uploadOf(rules map[string]media.Rule) (uploadForm, string, errcode.Code) {
	form, code := r.upload()
	form.kind = cmp.Or(r.query.Get("type"), form.kind)
	if _, known := rules[form.kind]; !known {
		return form, "", errcode.MediaType
	}
	if code != errcode.OK {
		return form, "", code
	}
	contentType, code := media.Check(rules, form.kind, form.media)

	return form, contentType, code
}
