package forward

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// takeAppID takes the account from the query, where the calls that take a secret have it.
func (c *Call) takeAppID() error {
	query, err := url.ParseQuery(c.Target.Query)
	if err != nil {
		return fault.New(fault.Invalid, "the query of %s cannot be read; percent-encode its values", c.Endpoint.Path)
	}
	asked := query.Get("appid")
	if c.AppID != "" && asked != "" && asked != c.AppID {
		return fault.New(fault.Invalid, "parameter appid names another account than the header X-WX-AppID, the field app_id, or the access_token; leave one of them out")
	}
	if asked != "" {
		c.AppID = asked
	}
	return nil
}

// code lets token-center give a user's code. Whatever the caller has for a secret stays here.
func (f *Forwarder) code(ctx context.Context, c Call) (*Answer, error) {
	query, err := url.ParseQuery(c.Target.Query)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the query of %s cannot be read; percent-encode its values", c.Endpoint.Path)
	}
	var answer []byte
	if strings.HasSuffix(c.Endpoint.Path, "/jscode2session") {
		answer, err = f.codes.MiniProgram(ctx, c.AppID, query.Get("js_code"))
	} else {
		answer, err = f.codes.Web(ctx, c.AppID, query.Get("code"))
	}
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: http.StatusOK, Body: io.NopCloser(bytes.NewReader(answer)), Header: http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "Content-Length": {strconv.Itoa(len(answer))},
	}}
	a.Code, a.Message = errcode.Parse(answer)
	return a, nil
}
