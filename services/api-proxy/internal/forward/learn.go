package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/wxstack/wxstack/wechat/errcode"

	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
)

// Limiter decides whether a call may be made now, and is told what WeChat says of its own limits.
type Limiter interface {
	// Take says which limit is in the way, if one is.
	Take(ctx context.Context, a limit.Ask, without limit.Fallback) error
	// Tell notes the daily limit of an endpoint, and how many calls WeChat has counted today.
	Tell(ctx context.Context, appID, endpoint string, limit, used int64)
	// Forget notes that WeChat's counters of today begin anew.
	Forget(ctx context.Context, appID string)
}

// Allowances follows how many customer-service messages (客服消息) a follower still allows.
type Allowances interface {
	// Sent notes WeChat's verdict on a message to a follower.
	Sent(ctx context.Context, appID, openID string, verdict errcode.Code)
}

// The calls whose answers say something about limits.
const (
	quotaPath = "/cgi-bin/openapi/quota/get"
	clearPath = "/cgi-bin/clear_quota"
	sendPath  = "/cgi-bin/message/custom/send"
)

// learn takes from an answer what it says about WeChat's limits.
func (f *Forwarder) learn(ctx context.Context, c Call, a *Answer) {
	switch path := c.Endpoint.Path; {
	case path == sendPath:
		f.learnSent(ctx, c, a)
	case a.Code != 0:
	case path == clearPath:
		f.limiter.Forget(ctx, c.AppID)
	case path == quotaPath:
		f.learnQuota(ctx, c, a)
	}
}

// maxSent is how long a customer-service message may be whose receiver is looked for. One with a text of the
// greatest length has 4 KiB.
const maxSent = 64 << 10

// learnSent finds out who got a customer-service message, or didn't, whichever face it came by. An HTTP error is
// no verdict.
func (f *Forwarder) learnSent(ctx context.Context, c Call, a *Answer) {
	if a.Status != http.StatusOK || c.Body.Size() > maxSent {
		return
	}
	var sent struct {
		ToUser string `json:"touser"`
	}
	if json.NewDecoder(c.Body.Reader()).Decode(&sent) != nil || sent.ToUser == "" {
		return // WeChat says what is wrong.
	}
	f.allowances.Sent(ctx, c.AppID, sent.ToUser, a.Code)
}

// learnQuota reads the answer of 查询API调用额度, which the caller gets all the same.
func (f *Forwarder) learnQuota(ctx context.Context, c Call, a *Answer) {
	head, err := peek(a.Body)
	a.Body = &joined{Reader: io.MultiReader(bytes.NewReader(head), a.Body), Closer: a.Body}
	var asked struct {
		Path string `json:"cgi_path"`
	}
	var said struct {
		Quota *struct {
			Limit int64 `json:"daily_limit"`
			Used  int64 `json:"used"`
		} `json:"quota"`
	}
	if err != nil || json.NewDecoder(c.Body.Reader()).Decode(&asked) != nil || json.Unmarshal(head, &said) != nil || said.Quota == nil {
		return // whoever asked will see what is wrong.
	}
	if e, listed := f.table.Entry(asked.Path); listed && said.Quota.Limit > 0 {
		f.limiter.Tell(ctx, c.AppID, e.Path, said.Quota.Limit, said.Quota.Used)
	}
}
