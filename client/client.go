// Package client lets Go programs and SDKs that call WeChat's API do so through wxstack's api-proxy: it is an
// http.RoundTripper, for everything that takes an *http.Client. It needs nothing but the standard library.
//
//	transport, err := client.New("http://api-proxy:8081", "wx0000000000000001", key)
//	httpClient := &http.Client{Transport: transport}
package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Transport sends what is meant for WeChat's API to api-proxy, in the name of one caller and one account.
// Everything else goes its way untouched. It is safe for concurrent use.
//
// The program may bring any access_token, or none: api-proxy puts in the real one.
type Transport struct {
	// Next makes the requests; http.DefaultTransport when nil.
	Next http.RoundTripper

	proxy *url.URL
	appID string
	key   string
}

// New returns a Transport. proxyURL is api-proxy's address, such as http://api-proxy:8081; appID names the account;
// callerKey is what proves to api-proxy who calls, and may be empty where it has no callers file.
func New(proxyURL, appID, callerKey string) (*Transport, error) {
	u, err := url.Parse(proxyURL)
	switch {
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("address of api-proxy: write scheme and host, like http://api-proxy:8081")
	case u.User != nil, strings.Trim(u.Path, "/") != "", u.RawQuery != "":
		return nil, fmt.Errorf("address of api-proxy: write %s://%s alone", u.Scheme, u.Host)
	case strings.ContainsAny(appID+callerKey, "\r\n"):
		return nil, errors.New("AppID or caller key: has a line break; cut what the file has at its end")
	}
	return &Transport{proxy: u, appID: appID, key: callerKey}, nil
}

// apiHosts are those that serve WeChat's API, at their access points. Source: 接口域名说明.
var apiHosts = []string{
	"api.weixin.qq.com", "api2.weixin.qq.com", "sh.api.weixin.qq.com", "sz.api.weixin.qq.com", "hk.api.weixin.qq.com", "file.api.weixin.qq.com",
}

// pageHost serves pages for browsers, and a few API calls under /cgi-bin, such as showqrcode.
const pageHost = "mp.weixin.qq.com"

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if forAPI(r.URL) {
		r = t.redirect(r)
	}
	next := t.Next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}

func forAPI(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return slices.Contains(apiHosts, host) || (host == pageHost && strings.HasPrefix(u.Path, "/cgi-bin/showqrcode"))
}

// redirect returns the request as api-proxy takes it. The one that was given must not be changed.
func (t *Transport) redirect(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = t.proxy.Scheme, t.proxy.Host, ""
	if t.key != "" {
		out.Header.Set("Authorization", "Bearer "+t.key)
	}
	if t.appID != "" {
		out.Header.Set("X-Wx-Appid", t.appID)
	}
	return out
}
