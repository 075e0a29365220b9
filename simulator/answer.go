package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// apiAnswer is what the platform answers. A file is written in pieces, after the
// platform's lock is free; everything else is a body.
type apiAnswer struct {
	status int
	code   errcode
	header http.Header
	body   []byte
	file   io.WriterTo // Written instead of the body, if there is one.
	cut    bool        // Whether it breaks off in the middle.
	rid    string      // Of a refusal.
	// work makes the answer itself, with I/O, after the platform's lock is free.
	work func(context.Context) apiAnswer
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

// answerOK makes an answer of values that WeChat gives beside its plain ok.
func answerOK(values map[string]any) apiAnswer {
	values["errcode"], values["errmsg"] = codeOK, codeOK.text()

	return answer(values)
}

// refuse makes an answer of a code; 0 is WeChat's plain ok.
func refuse(code errcode) apiAnswer { return refuseSaying(code, "") }

// refuseSaying is refuse with other words than the code's own.
func refuseSaying(code errcode, message string) apiAnswer {
	body := newErrorBody(code, message)

	return refusal(body, body)
}

// refuseWith is refuse with values beside the code.
func refuseWith(code errcode, values map[string]any) apiAnswer {
	body := newErrorBody(code, "")
	values["errcode"], values["errmsg"] = body.ErrCode, body.ErrMsg

	return refusal(body, values)
}

func refusal(body errorBody, value any) apiAnswer {
	given := answer(value)
	given.code = body.ErrCode
	_, given.rid, _ = strings.Cut(body.ErrMsg, ridMark)

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
	if a.cut {
		a.writeHalf(w)

		return
	}
	w.WriteHeader(a.status)
	if a.file != nil {
		_, _ = a.file.WriteTo(w)

		return
	}
	_, _ = w.Write(a.body)
}

// writeHalf promises the whole body and ends the connection after half of it.
func (a apiAnswer) writeHalf(w http.ResponseWriter) {
	body := a.body
	if a.file != nil {
		var whole bytes.Buffer
		_, _ = a.file.WriteTo(&whole) // A buffer takes everything.
		body = whole.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(max(len(body), 1)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body[:len(body)/2]) // The server ends a connection on which less was written than promised.
}

// describe is the answer for the record.
func (a apiAnswer) describe() string {
	if a.file != nil {
		return "(" + a.header.Get("Content-Type") + ", " + a.header.Get("Content-Length") + " bytes)"
	}

	return describeBody(a.body)
}
