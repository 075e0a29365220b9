package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// ticket answers as /cgi-bin/ticket/getticket does, with the ticket that token-center keeps for all: WeChat gives
// few a day.
func (f *Forwarder) ticket(ctx context.Context, c Call) (*Answer, error) {
	query, err := url.ParseQuery(c.Target.Query)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query of %s cannot be read; write type=jsapi or type=wx_card", c.Endpoint.Path)
	}
	ticket, err := f.tickets.Ticket(ctx, c.AppID, query.Get("type"))
	if err != nil {
		return nil, err
	}
	return JSONAnswer(struct {
		Code    errcode.Code `json:"errcode"`
		Message string       `json:"errmsg"`
		Ticket  string       `json:"ticket"`
		Expires int64        `json:"expires_in"`
	}{errcode.Success, "ok", ticket.Value.Reveal(), int64(time.Until(ticket.Expires).Seconds())})
}

// JSONAnswer is an answer of our own in WeChat's form.
func JSONAnswer(value any) (*Answer, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write an answer")
	}
	code, message := errcode.Parse(body.Bytes())
	return &Answer{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body: io.NopCloser(&body), Code: code, Message: message,
	}, nil
}
