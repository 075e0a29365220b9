package interop

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/chanxuehong/wechat/mp/base"
	"github.com/chanxuehong/wechat/mp/core"
	"github.com/chanxuehong/wechat/mp/jssdk"
	"github.com/chanxuehong/wechat/mp/media"
	"github.com/chanxuehong/wechat/mp/menu"
	"github.com/chanxuehong/wechat/mp/message/custom"
	"github.com/chanxuehong/wechat/mp/message/template"
	mpoauth2 "github.com/chanxuehong/wechat/mp/oauth2"
	"github.com/chanxuehong/wechat/mp/qrcode"
	"github.com/chanxuehong/wechat/mp/user"
	"github.com/chanxuehong/wechat/oauth2"

	"github.com/wxstack/wxstack/client"
	"github.com/wxstack/wxstack/simulator"
)

// chanxuehongClient gives the SDK a transport, which it takes in place of a base address: docs/sdks.md has the lines
// between the marks.
func chanxuehongClient(proxy, callerKey string, next http.RoundTripper) (*core.Client, *http.Client, error) {
	// snippet chanxuehong
	transport, err := client.New(proxy, appID, callerKey)
	if err != nil {
		return nil, nil, err
	}
	httpClient := &http.Client{Transport: transport}
	tokens := core.NewDefaultAccessTokenServer(appID, callerKey, httpClient)
	account := core.NewClient(tokens, httpClient)
	// end
	transport.Next = next
	return account, httpClient, nil
}

func TestChanxuehongWorksThroughTheProxy(t *testing.T) {
	const follower = "oChanxuehong"
	walk(t, func(t *testing.T, h *house, listening *ear) []step {
		t.Helper()
		account, httpClient, err := chanxuehongClient(h.APIProxyURL, callerKey, listening)
		if err != nil {
			t.Fatal(err)
		}
		return append([]step{{"token", func() error { return virtual(account.Token()) }, false}},
			chanxuehongSteps(h, account, callerKey, httpClient, follower, picture(t))...)
	})
}

func chanxuehongSteps(w world, account *core.Client, secret string, httpClient *http.Client, follower string, photo []byte) []step {
	return []step{
		{"create menu", func() error {
			return menu.Create(account, &menu.Menu{Buttons: []menu.Button{{Type: menu.ButtonTypeClick, Name: "今日歌曲", Key: "V1001"}}})
		}, true},
		{"get menu", func() error {
			got, _, err := menu.Get(account)
			if err == nil && (len(got.Buttons) != 1 || got.Buttons[0].Name != "今日歌曲") {
				err = fmt.Errorf("menu %+v", got)
			}
			return err
		}, false},
		{"send text", func() error {
			w.greet(follower) // for another allowance.
			return custom.Send(account, custom.NewText(follower, "有 <b>新</b> 消息", ""))
		}, true},
		{"user info", func() error {
			info, err := user.Get(account, follower, user.LanguageZhCN)
			if err == nil && info.IsSubscriber != 1 {
				err = fmt.Errorf("user %+v", info)
			}
			return err
		}, false},
		{"upload and download", func() error {
			uploaded, err := media.UploadImageFromReader(account, "a.png", bytes.NewReader(photo))
			if err != nil {
				return err
			}
			var got bytes.Buffer
			_, err = media.DownloadToWriter(account, uploaded.MediaId, &got)
			if err == nil && !bytes.Equal(got.Bytes(), photo) {
				err = errors.New("another picture came back")
			}
			return err
		}, true},
		{"template", func() error {
			id, err := template.Send(account, &template.TemplateMessage2{
				ToUser: follower, TemplateId: simulator.DefaultTemplateID, Data: map[string]template.DataItem{"first": {Value: "您好"}},
			})
			if err == nil && id == 0 {
				err = errors.New("no msgid")
			}
			return err
		}, true},
		{"QR code", func() error {
			code, err := qrcode.CreateTempQrcode(account, 7, 3600)
			if err != nil {
				return err
			}
			var shown bytes.Buffer
			if _, err = qrcode.DownloadToWriter(code.Ticket, &shown, httpClient); err == nil && shown.Len() == 0 {
				err = errors.New("no picture")
			}
			return err
		}, false},
		{"JS ticket", func() error {
			ticket, err := jssdk.NewDefaultTicketServer(account).Ticket()
			if err == nil && ticket == "" {
				err = errors.New("no ticket")
			}
			return err
		}, false},
		{"web login", func() error {
			code, err := w.code(follower)
			if err != nil {
				return err
			}
			login := &oauth2.Client{Endpoint: mpoauth2.NewEndpoint(appID, secret), HttpClient: httpClient}
			tokens, err := login.ExchangeToken(code)
			if err != nil {
				return err
			}
			who, err := mpoauth2.GetUserInfo(tokens.AccessToken, tokens.OpenId, "", httpClient)
			if err == nil && who.OpenId != follower {
				err = fmt.Errorf("user %q", who.OpenId)
			}
			return err
		}, false},
		{"lists", func() error {
			_, err := user.List(account, "")
			if err == nil {
				_, err = base.GetCallbackIP(account)
			}
			return err
		}, false},
	}
}
