package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// TestCustomMessageTypes covers every type of api.md section 4: what the follower
// sees of it, and the refusal when something that it needs is missing.
func TestCustomMessageTypes(t *testing.T) {
	t.Parallel()
	files := map[string]string{"I": media.Image, "V": media.Voice, "F": media.Video, "T": media.Thumb, "N": media.News}
	known := func(id string, kinds ...string) bool { return slices.Contains(kinds, files[id]) }
	for name, test := range map[string]struct {
		body, text string
		want       errcode.Code
	}{
		"image":              {`"msgtype":"image","image":{"media_id":"I"}`, "", errcode.OK},
		"voice":              {`"msgtype":"voice","voice":{"media_id":"V"}`, "", errcode.OK},
		"voice as image":     {`"msgtype":"image","image":{"media_id":"V"}`, "", errcode.MediaID},
		"video":              {`"msgtype":"video","video":{"media_id":"F","thumb_media_id":"T","title":"片"}`, "片", errcode.OK},
		"video, bad thumb":   {`"msgtype":"video","video":{"media_id":"F","thumb_media_id":"x"}`, "", errcode.MediaID},
		"music":              {`"msgtype":"music","music":{"title":"歌","musicurl":"u","hqmusicurl":"u","thumb_media_id":"T"}`, "[音乐] 歌", errcode.OK},
		"music, no address":  {`"msgtype":"music","music":{"musicurl":"u","thumb_media_id":"T"}`, "", errcode.Arguments},
		"music, no picture":  {`"msgtype":"music","music":{"musicurl":"u","hqmusicurl":"u"}`, "", errcode.MediaID},
		"mpnews":             {`"msgtype":"mpnews","mpnews":{"media_id":"N"}`, "", errcode.OK},
		"mpnews, unknown":    {`"msgtype":"mpnews","mpnews":{"media_id":"I"}`, "", errcode.MediaID},
		"article":            {`"msgtype":"mpnewsarticle","mpnewsarticle":{"article_id":"A"}`, "[图文] A", errcode.OK},
		"article, none":      {`"msgtype":"mpnewsarticle"`, "", errcode.ArticleID},
		"menu":               {`"msgtype":"msgmenu","msgmenu":{"head_content":"满意吗","list":[{"id":"101","content":"满意"}],"tail_content":"再来"}`, "满意吗\n· 满意\n再来", errcode.OK},
		"menu, empty":        {`"msgtype":"msgmenu","msgmenu":{"head_content":"满意吗"}`, "", errcode.Arguments},
		"menu, no id":        {`"msgtype":"msgmenu","msgmenu":{"list":[{"content":"满意"}]}`, "", errcode.Arguments},
		"card":               {`"msgtype":"wxcard","wxcard":{"card_id":"C"}`, "[卡券] C", errcode.OK},
		"card, none":         {`"msgtype":"wxcard","wxcard":{}`, "", errcode.CardID},
		"page":               {`"msgtype":"miniprogrampage","miniprogrampage":{"title":"店","appid":"wx","pagepath":"p","thumb_media_id":"I"}`, "[小程序] 店", errcode.OK},
		"page, no appid":     {`"msgtype":"miniprogrampage","miniprogrampage":{"pagepath":"p","thumb_media_id":"I"}`, "", errcode.AppID},
		"page, no path":      {`"msgtype":"miniprogrampage","miniprogrampage":{"appid":"wx","thumb_media_id":"I"}`, "", errcode.PagePath},
		"page, no picture":   {`"msgtype":"miniprogrampage","miniprogrampage":{"appid":"wx","pagepath":"p"}`, "", errcode.MediaID},
		"link":               {`"msgtype":"link","link":{"title":"T","url":"u"}`, "", errcode.OK},
		"link, no address":   {`"msgtype":"link","link":{"title":"T"}`, "", errcode.Arguments},
		"unknown":            {`"msgtype":"poem"`, "", errcode.MessageType},
		"as a named agent":   {`"msgtype":"text","text":{"content":"x"},"customservice":{"kf_account":"test1@kftest"}`, "x", errcode.OK},
		"two articles":       {`"msgtype":"news","news":{"articles":[{},{}]}`, "", errcode.Articles},
		"an article of news": {`"msgtype":"news","news":{"articles":[{"title":"T"}]}`, "", errcode.OK},
	} {
		var message customMessage
		if err := json.Unmarshal([]byte("{"+test.body+"}"), &message); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		line, code := message.line(known)
		if code != test.want || line.Text != test.text {
			t.Errorf("%s: %d %q, want %d %q", name, code, line.Text, test.want, test.text)
		}
		if code == errcode.OK && line.Text == "" && line.MediaID == "" && len(line.Articles) == 0 {
			t.Errorf("%s: the follower sees nothing", name)
		}
	}
}

// TestCustomMessageMedia sends temporary and permanent files that the account has,
// and none that another account has.
func TestCustomMessageMedia(t *testing.T) {
	t.Parallel()
	platform := Start(t, func(options *Options) {
		other := DefaultAccount()
		other.AppID, other.CallbackURL = "wxother", ""
		options.Accounts = []Account{DefaultAccount(), other}
	})
	platform.state.accounts[DefaultAppID].followers[DefaultFollower].message = allowance{count: 5, until: time.Now().Add(time.Hour)}
	token := withToken(stableToken(t, platform))
	own, err := platform.AddSyntheticMedia("", media.Voice, 100)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := platform.AddSyntheticMedia("wxother", media.Voice, 100)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]errcode.Code{
		`"msgtype":"voice","voice":{"media_id":"` + own.MediaID + `"}`:     errcode.OK,
		`"msgtype":"voice","voice":{"media_id":"` + foreign.MediaID + `"}`: errcode.MediaID,
		`"msgtype":"mpnews","mpnews":{"media_id":"` + DefaultNewsID + `"}`: errcode.OK,
	} {
		given := api(t, platform, http.MethodPost, sendPath, token, `{"touser":"`+DefaultFollower+`",`+body+`}`)
		if got := errCode(given); got != int(want) {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
}

// TestTyping covers api.md section 4, typing indicator (K).
func TestTyping(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	typing := func(to, command string, want errcode.Code) {
		t.Helper()
		given := api(t, platform, http.MethodPost, "/cgi-bin/message/custom/typing", withToken(stableToken(t, platform)),
			`{"touser":"`+to+`","command":"`+command+`"}`)
		if got := errCode(given); got != int(want) {
			t.Errorf("%s: %d, want %d", command, got, want)
		}
	}
	typing(DefaultFollower, "Typing", errcode.TypingWindow)
	if _, err := platform.Push(t.Context(), Push{Content: "x"}); err != nil {
		t.Fatal(err)
	}
	typing(DefaultFollower, "Reading", errcode.TypingCommand)
	typing("oNOBODY", "Typing", errcode.OpenID)
	shown := func() int64 { return platform.Followers()[0].TypingMS }
	if shown() != 0 {
		t.Errorf("typing is shown for %d ms before it began", shown())
	}
	typing(DefaultFollower, "Typing", errcode.OK)
	if left := shown(); left <= 0 || left > typingShown.Milliseconds() {
		t.Errorf("typing is shown for %d ms", left)
	}
	typing(DefaultFollower, "Typing", errcode.TypingTwice)
	typing(DefaultFollower, "CancelTyping", errcode.OK)
	if shown() != 0 {
		t.Errorf("typing is shown for %d ms after it was cancelled", shown())
	}
	typing(DefaultFollower, "Typing", errcode.OK)
	api(t, platform, http.MethodPost, sendPath, withToken(stableToken(t, platform)), customText(DefaultFollower, "x"))
	typing(DefaultFollower, "Typing", errcode.OK)
	if err := platform.AdvanceClock(typingShown); err != nil {
		t.Fatal(err)
	}
	typing(DefaultFollower, "Typing", errcode.OK)
	if err := platform.AdvanceClock(typingWindow); err != nil {
		t.Fatal(err)
	}
	typing(DefaultFollower, "Typing", errcode.TypingWindow)
}
