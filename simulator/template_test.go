package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
)

const templatePath = "/cgi-bin/message/template/send"

func templateBody(to, id, rest string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q%s}`, to, id, rest)
}

// TestTemplateRefusals covers api.md section 5, template message.
func TestTemplateRefusals(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	for _, event := range []string{EventSubscribe, EventUnsubscribe} {
		if _, err := platform.Push(t.Context(), Push{From: "oGONE0", Type: TypeEvent, Event: event}); err != nil {
			t.Fatal(err)
		}
	}
	token := withToken(stableToken(t, platform))
	const data = `,"data":{"first":{"value":"x"}}`
	for name, test := range map[string]struct {
		body string
		want errcode.Code
	}{
		"empty":        {"", errcode.EmptyBody},
		"not JSON":     {"{", errcode.JSON},
		"stranger":     {templateBody("oNOBODY", DefaultTemplateID, data), errcode.OpenID},
		"gone":         {templateBody("oGONE0", DefaultTemplateID, data), errcode.NotFollowing},
		"template":     {templateBody(DefaultFollower, "x", data), errcode.TemplateID},
		"no data":      {templateBody(DefaultFollower, DefaultTemplateID, ""), errcode.JSON},
		"null data":    {templateBody(DefaultFollower, DefaultTemplateID, `,"data":null`), errcode.JSON},
		"list of data": {templateBody(DefaultFollower, DefaultTemplateID, `,"data":[]`), errcode.JSON},
		"bare value":   {templateBody(DefaultFollower, DefaultTemplateID, `,"data":{"first":"x"}`), errcode.TemplateValue},
		"no value":     {templateBody(DefaultFollower, DefaultTemplateID, `,"data":{"first":{"color":"#173177"}}`), errcode.TemplateValue},
		"mini program": {templateBody(DefaultFollower, DefaultTemplateID, `,"miniprogram":{"pagepath":"x"}`+data), errcode.AppID},
		"empty page":   {templateBody(DefaultFollower, DefaultTemplateID, `,"miniprogram":{"appid":"","pagepath":""}`+data), errcode.OK},
		"nothing else": {templateBody(DefaultFollower, DefaultTemplateID, `,"data":{}`), errcode.OK},
	} {
		if got := errCode(api(t, platform, http.MethodPost, templatePath, token, test.body)); got != int(test.want) {
			t.Errorf("%s: errcode %d, want %d", name, got, test.want)
		}
	}
}

// TestTemplateMessage sends with the template that the account lists, and makes sure
// that an id needs 64 bits and a client_msg_id sends once.
func TestTemplateMessage(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := withToken(stableToken(t, platform))
	list, err := json.Marshal(api(t, platform, http.MethodGet, "/cgi-bin/template/get_all_private_template", token, ""))
	if err != nil || !strings.Contains(string(list), `"template_id":"`+DefaultTemplateID+`"`) {
		t.Fatalf("templates: %s, %v", list, err)
	}
	if posted := api(t, platform, http.MethodPost, "/cgi-bin/template/get_all_private_template", token, ""); posted["template_list"] == nil {
		t.Errorf("by POST: %v", posted)
	}
	send := func(clientID string) int64 {
		_, data := request(t, http.MethodPost, platform.URL()+templatePath+"?"+token.Encode(), templateBody(DefaultFollower, DefaultTemplateID,
			`,"client_msg_id":"`+clientID+`","url":"https://example.com/","data":{"first":{"value":"您好"},"keyword1":{"value":"A1","color":"#173177"},"other":{"value":"x"}}`))
		var given struct {
			ErrCode int   `json:"errcode"`
			ID      int64 `json:"msgid"`
		}
		if err := json.Unmarshal(data, &given); err != nil || given.ErrCode != 0 || given.ID <= 1<<53 {
			t.Errorf("answer %s, %v", data, err)
		}

		return given.ID
	}
	first := send("once")
	if unnamed := send(""); send("once") != first || send("") == unnamed {
		t.Error("a client_msg_id must be recognised, and its absence not")
	}
	if err := platform.AdvanceClock(repeatWindow + time.Second); err != nil {
		t.Fatal(err)
	}
	if send("once") == first {
		t.Error("a client_msg_id is forgotten after ten minutes")
	}
	lines := platform.Chat(DefaultFollower)
	if len(lines) != 4 || lines[0].Channel != ChannelTemplate || lines[0].Text != "您好\n订单：A1\n状态：\n\nhttps://example.com/" {
		t.Errorf("chat: %+v", lines)
	}
}

// Events that wait for their push when the platform is reset are of a world that is gone.
func TestResetForgetsReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := DefaultAccount()
	release := make(chan struct{})
	server := newAccountServer(t, account, func(receivedPush) string { <-release; return verdict.SuccessBody })
	account.CallbackURL = server.start()
	if err := w.SetAccount(account); err != nil {
		t.Fatal(err)
	}
	send := func(openID string) {
		t.Helper()
		w.want(w.call(templatePath, templateBody(openID, DefaultTemplateID, `,"data":{"keyword1":{"value":"一"}}`)), errcode.OK)
	}
	for range reporters + 3 {
		send(DefaultFollower)
	}
	for range reporters {
		<-server.seen // The others wait until one of these is answered.
	}
	w.Reset()
	close(release)
	w.token = ""
	w.follow("oAFTERWARDS", DefaultAppID)
	send("oAFTERWARDS")
	if got := <-server.seen; got.document.Value("FromUserName") != "oAFTERWARDS" {
		t.Errorf("the server was told of what was before:\n%s", got.document.XML())
	}
}
