package interop

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/config"
	"github.com/silenceper/wechat/v2/officialaccount/material"
	"github.com/silenceper/wechat/v2/officialaccount/menu"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"

	"github.com/wxstack/wxstack/simulator"
)

// silenceper changes what the documentation says, and nothing else: docs/sdks.md has the lines between the marks.
func silenceperAccount(proxy, callerKey string) *officialaccount.OfficialAccount {
	// snippet silenceper
	util.SetURIModifier(func(uri string) string {
		return strings.Replace(uri, "https://api.weixin.qq.com", proxy, 1)
	})
	account := wechat.NewWechat().GetOfficialAccount(&config.Config{
		AppID: appID, AppSecret: callerKey, Cache: cache.NewMemory(),
	})
	// end
	return account
}

func TestSilenceperWorksThroughTheProxy(t *testing.T) {
	const follower = "oSilenceper"
	walk(t, func(t *testing.T, h *house, listening *ear) []step {
		t.Helper()
		util.DefaultHTTPClient = &http.Client{Transport: listening}
		t.Cleanup(func() {
			util.SetURIModifier(nil)
			util.DefaultHTTPClient = http.DefaultClient
		})
		account := silenceperAccount(h.APIProxyURL, callerKey)
		return append([]step{{"token", func() error { return virtual(account.GetAccessToken()) }, false}},
			silenceperSteps(h, account, follower, picture(t))...)
	})
}

func silenceperSteps(w world, account *officialaccount.OfficialAccount, follower string, photo []byte) []step {
	return []step{
		{"set menu", func() error {
			return account.GetMenu().SetMenu([]*menu.Button{menu.NewClickButton("今日歌曲", "V1001")})
		}, true},
		{"get menu", func() error {
			got, err := account.GetMenu().GetMenu()
			if err == nil && (len(got.Menu.Button) != 1 || got.Menu.Button[0].Name != "今日歌曲") {
				err = fmt.Errorf("menu %+v", got)
			}
			return err
		}, false},
		{"send text", func() error {
			w.greet(follower) // for another allowance.
			return account.GetCustomerMessageManager().Send(message.NewCustomerTextMessage(follower, "有 <b>新</b> 消息"))
		}, true},
		{"user info", func() error {
			info, err := account.GetUser().GetUserInfo(follower)
			if err == nil && info.Subscribe != 1 {
				err = fmt.Errorf("subscribe is %d", info.Subscribe)
			}
			return err
		}, false},
		{"upload and download", func() error {
			uploaded, err := account.GetMaterial().MediaUploadFromReader(material.MediaTypeImage, "a.png", bytes.NewReader(photo))
			if err != nil {
				return err
			}
			address, err := account.GetMaterial().GetMediaURL(uploaded.MediaID)
			if err != nil {
				return err
			}
			got, err := util.HTTPGet(address)
			if err == nil && !bytes.Equal(got, photo) {
				err = errors.New("another picture came back")
			}
			return err
		}, true},
		{"template", func() error {
			id, err := account.GetTemplate().Send(&message.TemplateMessage{
				ToUser: follower, TemplateID: simulator.DefaultTemplateID, Data: map[string]*message.TemplateDataItem{"first": {Value: "您好"}},
			})
			if err == nil && id == 0 {
				err = errors.New("no msgid")
			}
			return err
		}, true},
		{"QR code", func() error {
			ticket, err := account.GetBasic().GetQRTicket(basic.NewTmpQrRequest(time.Hour, 7))
			if err == nil && ticket.Ticket == "" {
				err = errors.New("no ticket")
			}
			return err
		}, false},
		{"JS ticket", func() error {
			signed, err := account.GetJs().GetConfig("https://example.com/page?a=b")
			if err == nil && signed.Signature == "" {
				err = errors.New("no signature")
			}
			return err
		}, false},
		{"web login", func() error {
			code, err := w.code(follower)
			if err != nil {
				return err
			}
			tokens, err := account.GetOauth().GetUserAccessToken(code)
			if err != nil {
				return err
			}
			who, err := account.GetOauth().GetUserInfo(tokens.AccessToken, tokens.OpenID, "zh_CN")
			if err == nil && who.OpenID != follower {
				err = fmt.Errorf("user %q", who.OpenID)
			}
			return err
		}, false},
		{"lists", func() error {
			_, err := account.GetUser().ListUserOpenIDs()
			if err == nil {
				_, err = account.GetBasic().GetCallbackIP()
			}
			return err
		}, false},
	}
}
