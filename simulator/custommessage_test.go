package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestCustomMessageTypes covers every type of api.md section 4: what the follower
// sees of it, and the refusal when something that it needs is missing.
func TestCustomMessageTypes(t *testing.T) {
	t.Parallel()
	files := map[string]string{"I": kindImage, "V": kindVoice, "F": kindVideo, "T": kindThumb, "N": kindNews}
	known := func(id string, kinds ...string) bool { return slices.Contains(kinds, files[id]) }
	for name, test := range map[string]struct {
		body, text string
		want       errcode
	}{
		"image":              {`"msgtype":"image","image":{"media_id":"I"}`, "", codeOK},
		"voice":              {`"msgtype":"voice","voice":{"media_id":"V"}`, "", codeOK},
		"voice as image":     {`"msgtype":"image","image":{"media_id":"V"}`, "", codeMediaID},
		"video":              {`"msgtype":"video","video":{"media_id":"F","thumb_media_id":"T","title":"片"}`, "片", codeOK},
		"video, bad thumb":   {`"msgtype":"video","video":{"media_id":"F","thumb_media_id":"x"}`, "", codeMediaID},
		"music":              {`"msgtype":"music","music":{"title":"歌","musicurl":"u","hqmusicurl":"u","thumb_media_id":"T"}`, "[音乐] 歌", codeOK},
		"music, no address":  {`"msgtype":"music","music":{"musicurl":"u","thumb_media_id":"T"}`, "", codeArguments},
		"music, no picture":  {`"msgtype":"music","music":{"musicurl":"u","hqmusicurl":"u"}`, "", codeMediaID},
		"mpnews":             {`"msgtype":"mpnews","mpnews":{"media_id":"N"}`, "", codeOK},
		"mpnews, unknown":    {`"msgtype":"mpnews","mpnews":{"media_id":"I"}`, "", codeMediaID},
		"article":            {`"msgtype":"mpnewsarticle","mpnewsarticle":{"article_id":"A"}`, "[图文] A", codeOK},
		"article, none":      {`"msgtype":"mpnewsarticle"`, "", codeArticleID},
		"menu":               {`"msgtype":"msgmenu","msgmenu":{"head_content":"满意吗","list":[{"id":"101","content":"满意"}],"tail_content":"再来"}`, "满意吗\n· 满意\n再来", codeOK},
		"menu, empty":        {`"msgtype":"msgmenu","msgmenu":{"head_content":"满意吗"}`, "", codeArguments},
		"menu, no id":        {`"msgtype":"msgmenu","msgmenu":{"list":[{"content":"满意"}]}`, "", codeArguments},
		"card":               {`"msgtype":"wxcard","wxcard":{"card_id":"C"}`, "[卡券] C", codeOK},
		"card, none":         {`"msgtype":"wxcard","wxcard":{}`, "", codeCardID},
		"page":               {`"msgtype":"miniprogrampage","miniprogrampage":{"title":"店","appid":"wx","pagepath":"p","thumb_media_id":"I"}`, "[小程序] 店", codeOK},
		"page, no appid":     {`"msgtype":"miniprogrampage","miniprogrampage":{"pagepath":"p","thumb_media_id":"I"}`, "", codeAppID},
		"page, no path":      {`"msgtype":"miniprogrampage","miniprogrampage":{"appid":"wx","thumb_media_id":"I"}`, "", codePagePath},
		"page, no picture":   {`"msgtype":"miniprogrampage","miniprogrampage":{"appid":"wx","pagepath":"p"}`, "", codeMediaID},
		"link":               {`"msgtype":"link","link":{"title":"T","url":"u"}`, "", codeOK},
		"link, no address":   {`"msgtype":"link","link":{"title":"T"}`, "", codeArguments},
		"unknown":            {`"msgtype":"poem"`, "", codeMessageType},
		"as a named agent":   {`"msgtype":"text","text":{"content":"x"},"customservice":{"kf_account":"test1@kftest"}`, "x", codeOK},
		"two articles":       {`"msgtype":"news","news":{"articles":[{},{}]}`, "", codeArticles},
		"an article of news": {`"msgtype":"news","news":{"articles":[{"title":"T"}]}`, "", codeOK},
	} {
		var message customMessage
		if err := json.Unmarshal([]byte("{"+test.body+"}"), &message); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		line, code := message.line(known)
		if code != test.want || line.Text != test.text {
			t.Errorf("%s: %d %q, want %d %q", name, code, line.Text, test.want, test.text)
		}
		if code == codeOK && line.Text == "" && line.MediaID == "" && len(line.Articles) == 0 {
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
	own, err := platform.AddSyntheticMedia("", kindVoice, 100)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := platform.AddSyntheticMedia("wxother", kindVoice, 100)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]errcode{
		`"msgtype":"voice","voice":{"media_id":"` + own.MediaID + `"}`:     codeOK,
		`"msgtype":"voice","voice":{"media_id":"` + foreign.MediaID + `"}`: codeMediaID,
		`"msgtype":"mpnews","mpnews":{"media_id":"` + DefaultNewsID + `"}`: codeOK,
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
	typing := func(to, command string, want errcode) {
		t.Helper()
		given := api(t, platform, http.MethodPost, "/cgi-bin/message/custom/typing", withToken(stableToken(t, platform)),
			`{"touser":"`+to+`","command":"`+command+`"}`)
		if got := errCode(given); got != int(want) {
			t.Errorf("%s: %d, want %d", command, got, want)
		}
	}
	typing(DefaultFollower, "Typing", codeTypingWindow)
	if _, err := platform.Push(t.Context(), Push{Content: "x"}); err != nil {
		t.Fatal(err)
	}
	typing(DefaultFollower, "Reading", codeTypingCommand)
	typing("oNOBODY", "Typing", codeOpenID)
	shown := func() int64 { return platform.Followers()[0].TypingMS }
	if shown() != 0 {
		t.Errorf("typing is shown for %d ms before it began", shown())
	}
	typing(DefaultFollower, "Typing", codeOK)
	if left := shown(); left <= 0 || left > typingShown.Milliseconds() {
		t.Errorf("typing is shown for %d ms", left)
	}
	typing(DefaultFollower, "Typing", codeTypingTwice)
	typing(DefaultFollower, "CancelTyping", codeOK)
	if shown() != 0 {
		t.Errorf("typing is shown for %d ms after it was cancelled", shown())
	}
	typing(DefaultFollower, "Typing", codeOK)
	api(t, platform, http.MethodPost, sendPath, withToken(stableToken(t, platform)), customText(DefaultFollower, "x"))
	typing(DefaultFollower, "Typing", codeOK)
	if err := platform.AdvanceClock(typingShown); err != nil {
		t.Fatal(err)
	}
	typing(DefaultFollower, "Typing", codeOK)
	if err := platform.AdvanceClock(typingWindow); err != nil {
		t.Fatal(err)
	}
	typing(DefaultFollower, "Typing", codeTypingWindow)
}
