package httpapi

import (
	"maps"
	"net/http"
	"net/textproto"
	"strings"
)

// connectionHeaders belong to one connection and never travel on. Source: RFC 9110, section 7.6.1, and
// what proxies in the field still send.
func connectionHeaders() []string {
	return []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
	}
}

// houseHeaders are for this proxy or tell about this house: who asked, from where, with which key.
// Content-Length is set from the body; Accept-Encoding would hide errcode behind compression.
func houseHeaders() []string {
	return []string{
		AppIDHeader, KeyHeader, "Authorization", "Cookie", "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-Ip", "Traceparent", "Tracestate", "Baggage",
		"Content-Length", "Accept-Encoding",
	}
}

// outgoing returns the headers of a caller that go to WeChat.
func outgoing(in http.Header) http.Header {
	out := in.Clone()
	if out == nil {
		out = http.Header{}
	}
	dropConnection(out)
	for _, name := range houseHeaders() {
		out.Del(name)
	}
	out.Set("Accept-Encoding", "identity")
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = nil // otherwise Go's HTTP client would put in its own name.
	}
	return out
}

// dropConnection removes the headers of one connection, the ones that Connection names included.
func dropConnection(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for _, name := range connectionHeaders() {
		h.Del(name)
	}
}

// copyHeader puts the headers of WeChat's answer into ours.
func copyHeader(dst, src http.Header) {
	kept := src.Clone()
	dropConnection(kept)
	maps.Copy(dst, kept)
}
