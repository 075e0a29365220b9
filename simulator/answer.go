package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// apiAnswer is what the platform answers. A file is written in pieces, after the
// platform's lock is free; everything else is a body.
type apiAnswer struct {
	status int
	code   errcode
	header http.Header
	body   []byte
	file   io.WriterTo // Written instead of the body, if there is one.
}

// answer makes an answer of a JSON value.
func answer(value any) apiAnswer {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil { // Only values of our own come here.
		return refuse(codeBusy)
	}

	return apiAnswer{
		status: http.StatusOK, body: bytes.TrimSuffix(body.Bytes(), []byte("\n")),
		header: http.Header{"Content-Type": {"application/json; encoding=utf-8"}},
	}
}

// refuse makes an answer of a code; 0 is WeChat's plain ok.
func refuse(code errcode) apiAnswer {
	given := answer(newErrorBody(code, ""))
	given.code = code

	return given
}

// answerFile makes an answer of a file. Its length is known, as in WeChat's downloads.
func answerFile(item *mediaItem) apiAnswer {
	return apiAnswer{status: http.StatusOK, file: item.content(), header: http.Header{
		"Content-Type":        {item.contentType},
		"Content-Disposition": {`attachment; filename="` + item.id + `"`},
		"Content-Length":      {strconv.FormatInt(item.size(), 10)},
	}}
}

// writeTo sends the answer. The caller may be gone; the call took effect all the
// same.
func (a apiAnswer) writeTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	if a.file != nil {
		_, _ = a.file.WriteTo(w)

		return
	}
	_, _ = w.Write(a.body)
}

// describe is the answer for the record.
func (a apiAnswer) describe() string {
	if a.file != nil {
		return "(" + a.header.Get("Content-Type") + ", " + a.header.Get("Content-Length") + " bytes)"
	}

	return describeBody(a.body)
}
