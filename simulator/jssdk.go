package simulator

import (
	"crypto/sha1" //nolint:gosec // the platform prescribes SHA-1.
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// JSSDKSignature is what a page gives to wx.config (JS-SDK 权限验证配置), and its own address.
type JSSDKSignature struct {
	Account   string `json:"account"`   // AppID; empty means the first account.
	URL       string `json:"url"`       // Of the page, as the browser has it.
	Timestamp string `json:"timestamp"` // As it was signed.
	NonceStr  string `json:"noncestr"`
	Signature string `json:"signature"`
}

// JSSDKCheck is the platform's judgement of a JSSDKSignature.
type JSSDKCheck struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`           // In words, with the remedy.
	Signed string `json:"signed,omitempty"` // The text that had to be signed, without the ticket.
}

// CheckJSSDK judges a signature as WeChat's clients do, and says what is wrong with one that doesn't fit: whether it was
// made for the address with its fragment, with a ticket of the past, or over the names in another case. Source: JS-SDK
// 使用权限签名算法.
func (p *Platform) CheckJSSDK(asked JSSDKSignature) (JSSDKCheck, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(asked.Account)
	if err != nil {
		return JSSDKCheck{}, err
	}
	current := account.tickets[ticketJSAPI]
	if current.value == "" {
		return JSSDKCheck{Reason: "the account has no ticket yet: get one from /cgi-bin/ticket/getticket?type=jsapi"}, nil
	}

	return asked.judge(current, account.formerTickets, p.state.clock.now()), nil
}

// judge decides about a signature, given the account's ticket and those before it.
func (s JSSDKSignature) judge(current ticket, former []string, now time.Time) JSSDKCheck {
	page, fragment, _ := strings.Cut(s.URL, "#")
	check := JSSDKCheck{Signed: s.text("TICKET", page)}
	signed := func(ticket, page string) bool { return sign(s.text(ticket, page)) == s.Signature }
	switch {
	case s.Timestamp == "" || s.NonceStr == "" || s.Signature == "" || page == "":
		check.Reason = "url, timestamp, noncestr and signature must all be there"
	case !now.Before(current.expires):
		check.Reason = "the ticket has expired: get a new one before its expires_in is over"
	case signed(current.value, page):
		check.OK, check.Reason = true, "the signature fits"
	case fragment != "" && signed(current.value, s.URL):
		check.Reason = "it was made for the address with #" + fragment + ": sign the part before #"
	case signed(current.value, strings.SplitN(page, "?", 2)[0]): //nolint:mnd // The part before the query.
		check.Reason = "it was made for the address without its query: sign the whole address before #"
	case sign(strings.Replace(s.text(current.value, page), "&noncestr=", "&nonceStr=", 1)) == s.Signature:
		check.Reason = "it was made over nonceStr: in the signed text the name is noncestr, in wx.config it is nonceStr"
	default:
		check.Reason = "it fits neither the address nor the ticket: compare the signed text, sign with the jsapi ticket and not with the access_token"
		for _, old := range former {
			if signed(old, page) {
				check.Reason = "it was made with a ticket of the past: hand out the newest one"
			}
		}
	}

	return check
}

// text is what is signed.
func (s JSSDKSignature) text(ticket, page string) string {
	return "jsapi_ticket=" + ticket + "&noncestr=" + s.NonceStr + "&timestamp=" + s.Timestamp + "&url=" + page
}

func sign(text string) string {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see the import.

	return hex.EncodeToString(sum[:])
}

// jweixin plays the script of WeChat's JS-SDK, so far as wx.config is concerned.
//
//go:embed pages/jweixin.js
var jweixin string

func (p *Platform) routeJSSDK(mux *http.ServeMux) {
	mux.Handle("POST /sim/v1/jssdk/check", control(p.controlJSSDK))
	mux.HandleFunc("GET /sim/v1/jssdk/jweixin.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		// A page on another origin asks the check over there.
		_, _ = fmt.Fprint(w, strings.ReplaceAll(jweixin, "{{BASE}}", p.publicURL()))
	})
	mux.HandleFunc("OPTIONS /sim/v1/jssdk/check", func(w http.ResponseWriter, _ *http.Request) { allowOrigins(w) })
}

// allowOrigins lets pages of any origin read an answer: that is what the JS-SDK is for.
func allowOrigins(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
}

func (p *Platform) controlJSSDK(w http.ResponseWriter, r *http.Request) (any, error) {
	allowOrigins(w)
	var asked JSSDKSignature
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return p.CheckJSSDK(asked)
}

// keepTicket remembers a ticket that is replaced.
func (a *accountState) keepTicket(old ticket) {
	const remembered = 5
	if old.value != "" {
		a.formerTickets = appendNewest(a.formerTickets, old.value, remembered)
	}
}
