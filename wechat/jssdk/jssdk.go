// Package jssdk computes the signatures by which a web page (网页) in WeChat may
// use the JS-SDK: the one of wx.config, made with a jsapi_ticket, and the one of
// cards (卡券), made with an api_ticket (wx_card).
//
// Sign on a server only: whoever has a ticket can sign any page.
//
// Source: 微信公众平台 “JS-SDK说明文档”, 附录1 (JS-SDK使用权限签名算法) and 附录4
// (卡券扩展字段及签名生成算法).
package jssdk

import (
	"crypto/sha1" //nolint:gosec // the platform prescribes SHA-1; there is no choice of digest.
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/wxstack/wxstack/wechat/signature"
)

// maxURL is longer than any address that a browser in WeChat opens.
const maxURL = 8192

// Page is what the signature of wx.config is made over.
type Page struct {
	// Ticket is the account's jsapi_ticket.
	Ticket string
	// NonceStr is a random text, different for each signature: letters and digits.
	NonceStr string
	// Timestamp is in Unix seconds.
	Timestamp int64
	// URL is the page's address as the browser has it, with its query. Its fragment (# and what follows)
	// is not signed.
	URL string
}

// Sign returns the signature of a page, 40 hexadecimal digits in lower case. It
// fails if a field is missing or the URL is none, and the error names the field.
func Sign(page Page) (string, error) {
	switch {
	case page.Ticket == "":
		return "", errors.New("ticket: required; it is the account's jsapi_ticket")
	case page.NonceStr == "" || strings.ContainsFunc(page.NonceStr, isNotAlphanumeric):
		return "", errors.New("nonce_str: must be letters and digits, at least one")
	case page.Timestamp <= 0:
		return "", errors.New("timestamp: must be positive, in Unix seconds")
	}
	address, err := SignedURL(page.URL)
	if err != nil {
		return "", err
	}
	// The names in this order, the values as they are: nothing is escaped.
	sum := sha1.Sum([]byte("jsapi_ticket=" + page.Ticket + "&noncestr=" + page.NonceStr + //nolint:gosec // see the import.
		"&timestamp=" + strconv.FormatInt(page.Timestamp, 10) + "&url=" + address))

	return hex.EncodeToString(sum[:]), nil
}

// SignedURL returns the part of a page's address that is signed: all before the
// first #, otherwise unchanged, because the browser signs what it has. It refuses
// what cannot be the address of a web page; the error names the field url and does
// not repeat the address, which may carry a user's code.
func SignedURL(raw string) (string, error) {
	address, _, _ := strings.Cut(raw, "#")
	switch {
	case address == "":
		return "", errors.New("url: required; it is the page's address as location.href has it, such as https://example.com/page?a=b")
	case len(address) > maxURL:
		return "", errors.New("url: longer than " + strconv.Itoa(maxURL) + " bytes")
	case strings.ContainsFunc(address, isNoURL):
		return "", errors.New("url: has spaces or control characters; take location.href, where the browser has escaped them")
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", errors.New("url: cannot be parsed; take the page's whole location.href") // err would quote it.
	}
	if (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" {
		return "", errors.New("url: must begin with http:// or https:// and a host; take the page's whole location.href")
	}

	return address, nil
}

func isNotAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// isNoURL finds what a browser never has in location.href.
func isNoURL(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
}

// SignCard returns the signature of a card (卡券), 40 hexadecimal digits in lower
// case: over the api_ticket, the timestamp and whatever else the call of the
// JS-SDK passes, such as nonce_str, card_id, code and openid. Their order does not
// matter; a value that the page does not pass must not be among them.
func SignCard(ticket string, timestamp int64, values ...string) (string, error) {
	switch {
	case ticket == "":
		return "", errors.New("ticket: required; it is the account's wx_card ticket")
	case timestamp <= 0:
		return "", errors.New("timestamp: must be positive, in Unix seconds")
	}

	return signature.Sign(append([]string{ticket, strconv.FormatInt(timestamp, 10)}, values...)...), nil
}
