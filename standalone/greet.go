package main

import (
	"fmt"
	"io"
	"strings"
)

// greet tells a newcomer where everything is and what to try first.
func (h *house) greet(w io.Writer) {
	var b strings.Builder
	b.WriteString("\nwxstack is running, all in this process. Ctrl-C stops it.\n\n")
	row := func(what, where string) { fmt.Fprintf(&b, "  %-28s %s\n", what, where) }
	if h.wechat != nil {
		row("chat page 聊天页面", h.wechat.URL())
	}
	row("callback URL 服务器地址", "http://"+h.gateway.Addr()+"/wx/{AppID}")
	row("api-proxy, HTTP and gRPC", "http://"+h.proxy.HTTPAddr()+"  "+h.proxy.GRPCAddr())
	row("token-center, gRPC and HTTP", h.tokens.Addr()+"  http://"+h.tokens.HTTPAddr())
	row("logic, gRPC", h.logicAddr)
	b.WriteString("\nTry:\n")
	if h.wechat != nil {
		row("write to the account", "open the chat page, type a text, send a picture, press the menu")
	}
	row("see the token's state", "grpcurl -plaintext "+h.tokens.Addr()+" wxstack.token.v1.TokenService/ListAccounts")
	row("call WeChat without a token", "curl http://"+h.proxy.HTTPAddr()+"/cgi-bin/getcallbackip")
	b.WriteString("\n")
	_, _ = io.WriteString(w, b.String())
}
