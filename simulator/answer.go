package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// apiAnswer is what the platform answers. A file is written in pieces, after the
// platform's lock is free; everything else is a body.
type apiAnswer struct {
	status int
	code   errcode.Code
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
		return refuse(errcode.Busy)
	}

	return apiAnswer{
		status: http.StatusOK, body: bytes.TrimSuffix(body.Bytes(), []byte("\n")),
		header: http.Header{"Content-Type": {"application/json; encoding=utf-8"}},
	}
}

// answerOK makes an answer of values that WeChat gives beside its plain ok.
func answerOK(values map[string]any) apiAnswer { return refuseWith(errcode.OK, values) }

// refuse makes an answer of a code; 0 is WeChat's plain ok.
func refuse(code errcode.Code) apiAnswer { return refuseSaying(code, "") }

// refuseSaying is refuse with other words than the code's own.
func refuseSaying(code errcode.Code, message string) apiAnswer {
	body := newErrorBody(code, message)

	return refusal(body, body)
}

// refuseWith is refuse with values beside the code.
func refuseWith(code errcode.Code, values map[string]any) apiAnswer {
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
func answerFile(item *media.Item) apiAnswer {
	return apiAnswer{status: http.StatusOK, file: item.Content(), header: http.Header{
		"Content-Type":        {item.ContentType},
		"Content-Disposition": {`attachment; filename="` + item.ID + `"`},
		"Content-Length":      {strconv.FormatInt(item.Size(), 10)},
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

// errorBody is what the platform answers when it refuses. The rid lets Tencent
// find the request in its logs; it ends every errmsg of an error.
type errorBody struct {
	ErrCode errcode.Code `json:"errcode"`
	ErrMsg  string       `json:"errmsg"`
}

func newErrorBody(code errcode.Code, message string) errorBody {
	if message == "" {
		message = code.Text()
	}
	if code != errcode.OK {
		message += ridMark + newRID()
	}

	return errorBody{ErrCode: code, ErrMsg: message}
}

// ridMark is what stands before the rid.
const ridMark = " rid: "

func newRID() string {
	return fmt.Sprintf("%08x-%08x-%08x", uint32(time.Now().Unix()), rand.Uint32(), rand.Uint32()) //nolint:gosec // No secret, and it may wrap.
}
