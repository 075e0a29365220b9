package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

func customText(to, content string) string {
	return fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":%q}}`, to, content)
}

const sendPath = "/cgi-bin/message/custom/send"

// TestCustomSendWindows covers api.md section 4 (O): five within 48 hours after a
// message, three within a minute after a click, then 45047, outside 45015.
func TestCustomSendWindows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		push    Push
		allowed int
		window  time.Duration
	}{
		"message":               {Push{Content: "x"}, 5, 48 * time.Hour},
		"tap in a menu message": {Push{Content: "x", MenuEntryID: "101"}, 3, time.Minute},
		"click":                 {Push{Type: TypeEvent, Event: EventClick, EventKey: "K"}, 3, time.Minute},
		"follow":                {Push{Type: TypeEvent, Event: EventSubscribe}, 3, time.Minute},
		"scan":                  {Push{Type: TypeEvent, Event: EventScan, EventKey: "1"}, 3, time.Minute},
		"view":                  {Push{Type: TypeEvent, Event: EventView, EventKey: "u"}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startAccount(t, ModePlain, answerWith("success"))
			send := func() int {
				return errCode(api(t, platform, http.MethodPost, sendPath,
					withToken(stableToken(t, platform)), customText(DefaultFollower, "晚到的回答")))
			}
			if got := send(); got != int(errcode.WindowClosed) {
				t.Errorf("before any trigger: %d", got)
			}
			if _, err := platform.Push(t.Context(), test.push); err != nil {
				t.Fatal(err)
			}
			for number := range test.allowed {
				if got := send(); got != 0 {
					t.Errorf("message %d: %d", number+1, got)
				}
			}
			if test.allowed > 0 {
				if got := send(); got != int(errcode.CountSpent) {
					t.Errorf("over the count: %d", got)
				}
				if _, err := platform.Push(t.Context(), test.push); err != nil {
					t.Fatal(err)
				}
			}
			if err := platform.AdvanceClock(test.window); err != nil {
				t.Fatal(err)
			}
			if got := send(); got != int(errcode.WindowClosed) {
				t.Errorf("after the window: %d", got)
			}
			lines, err := platform.WaitChat(t.Context(), DefaultFollower, test.allowed)
			if err != nil {
				t.Fatal(err)
			}
			custom := 0
			for _, line := range lines {
				if line.Channel == ChannelCustom && line.Text == "晚到的回答" {
					custom++
				}
			}
			if custom != test.allowed {
				t.Errorf("%d messages arrived, want %d", custom, test.allowed)
			}
		})
	}
}

// TestCustomSendRefusals covers api.md sections 2, 4 and 7.
func TestCustomSendRefusals(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	push := func(push Push) {
		if _, err := platform.Push(t.Context(), push); err != nil {
			t.Fatal(err)
		}
	}
	push(Push{Content: "x"})
	push(Push{From: "oGONE0", Type: TypeEvent, Event: EventSubscribe})
	push(Push{From: "oGONE0", Type: TypeEvent, Event: EventUnsubscribe})
	token := stableToken(t, platform)
	for name, test := range map[string]struct {
		body string
		want errcode.Code
	}{
		"empty":         {"", errcode.EmptyBody},
		"not JSON":      {"{", errcode.JSON},
		"escapes":       {`{"touser":"` + DefaultFollower + `","msgtype":"text","text":{"content":"\u4f60"}}`, errcode.Charset},
		"stranger":      {customText("oNOBODY", "x"), errcode.OpenID},
		"gone":          {customText("oGONE0", "x"), errcode.NotFollowing},
		"no text":       {customText(DefaultFollower, ""), errcode.EmptyText},
		"too long":      {customText(DefaultFollower, strings.Repeat("x", maxCustomText+1)), errcode.TextTooLong},
		"unknown type":  {`{"touser":"` + DefaultFollower + `","msgtype":"x"}`, errcode.MessageType},
		"unknown media": {`{"touser":"` + DefaultFollower + `","msgtype":"image","image":{"media_id":"x"}}`, errcode.MediaID},
		"no article":    {`{"touser":"` + DefaultFollower + `","msgtype":"news","news":{"articles":[]}}`, errcode.Articles},
		"news":          {`{"touser":"` + DefaultFollower + `","msgtype":"news","news":{"articles":[{"title":"T"}]}}`, errcode.OK},
		"line breaks":   {customText(DefaultFollower, "a\nb\\u4f60"), errcode.OK},
	} {
		if got := errCode(api(t, platform, http.MethodPost, sendPath, withToken(token), test.body)); got != int(test.want) {
			t.Errorf("%s: errcode %d, want %d", name, got, test.want)
		}
	}
}

// TestMedia covers api.md section 5: temporary media are kept three days and can be
// sent to followers.
func TestMedia(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith("success"))
	token := stableToken(t, platform)
	upload := func(data []byte) map[string]any {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("media", "a.png")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(data)
		_ = form.Close()
		target := platform.URL() + "/cgi-bin/media/upload?type=image&access_token=" + token
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, &body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", form.FormDataContentType())
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		var answer map[string]any
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}

		return answer
	}
	picture := media.SamplePicture()
	given := upload(picture)
	id, ok := given["media_id"].(string)
	if !ok {
		t.Fatalf("upload: %v", given)
	}
	if got := errCode(upload([]byte("text"))); got != int(errcode.FileType) {
		t.Errorf("a text as image: %d", got)
	}
	query := withToken(token)
	query.Set("media_id", id)
	if _, data := request(t, http.MethodGet, platform.URL()+"/cgi-bin/media/get?"+query.Encode(), ""); !bytes.Equal(data, bytes.TrimSpace(picture)) {
		t.Errorf("got %d bytes back, want %d", len(data), len(picture))
	}
	has := platform.hasMedia(platform.state.accounts[DefaultAppID])
	if !has(id, "image") || has(id, "voice") {
		t.Error("the kind of a file must count")
	}
	if err := platform.AdvanceClock(mediaShelfLife + time.Second); err != nil {
		t.Fatal(err)
	}
	if has(id, "image") {
		t.Error("the file outlived three days")
	}
}

// TestPicturePushAndReply covers inbound.md section 6: a received MediaId can be
// sent back, and PicUrl opens.
func TestPicturePushAndReply(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, rest, _ := strings.Cut(string(body), "<MediaId><![CDATA[")
		id, _, _ := strings.Cut(rest, "]]>")
		text := plainReply("x")
		text = strings.Replace(text, "[text]", "[image]", 1)
		_, _ = io.WriteString(w, strings.Replace(text, "<Content><![CDATA[x]]></Content>", "<Image><MediaId>"+id+"</MediaId></Image>", 1))
	})
	result, err := platform.Push(t.Context(), Push{Type: TypeImage})
	if err != nil || result.Outcome != OutcomeShown {
		t.Fatalf("outcome %s, error %v: %+v", result.Outcome, err, result.Deliveries)
	}
	status, _ := request(t, http.MethodGet, platform.URL()+"/sim/v1/media/"+result.Shown[0].MediaID, "")
	if status != http.StatusOK {
		t.Errorf("PicUrl answers %d", status)
	}
}

func TestMenuAndUsers(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := withToken(stableToken(t, platform))
	if menu := api(t, platform, http.MethodGet, "/cgi-bin/menu/get", token, ""); menu["menu"] == nil {
		t.Errorf("default menu: %v", menu)
	}
	created := `{"button":[{"type":"click","name":"今日歌曲","key":"V1001"}]}`
	if got := errCode(api(t, platform, http.MethodPost, "/cgi-bin/menu/create", token, created)); got != 0 {
		t.Errorf("create: %d", got)
	}
	if got := errCode(api(t, platform, http.MethodPost, "/cgi-bin/menu/create", token, `{"button":[]}`)); got != int(errcode.Buttons) {
		t.Errorf("create without buttons: %d", got)
	}
	if got := errCode(api(t, platform, http.MethodGet, "/cgi-bin/menu/delete", token, "")); got != 0 {
		t.Errorf("delete: %d", got)
	}
	if got := errCode(api(t, platform, http.MethodGet, "/cgi-bin/menu/get", token, "")); got != int(errcode.NoMenu) {
		t.Errorf("get after delete: %d", got)
	}
	token.Set("openid", DefaultFollower)
	if info := api(t, platform, http.MethodGet, "/cgi-bin/user/info", token, ""); info["subscribe"] != 1.0 {
		t.Errorf("user info: %v", info)
	}
	if list := api(t, platform, http.MethodGet, "/cgi-bin/user/get", token, ""); list["total"] != 1.0 {
		t.Errorf("user list: %v", list)
	}
	if got := errCode(api(t, platform, http.MethodGet, "/cgi-bin/unknown", token, "")); got != int(errcode.URL) {
		t.Errorf("unknown path: %d", got)
	}
}

func FuzzHasUnicodeEscape(f *testing.F) {
	f.Add([]byte(`{"a":"\u4f60"}`))
	f.Add([]byte(`"\\u4f60\n\u0007"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if hasUnicodeEscape(body) && !bytes.Contains(body, []byte(`\u`)) {
			t.Errorf("%q has no escape", body)
		}
		var encoded bytes.Buffer
		encoder := json.NewEncoder(&encoded)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(strings.ToValidUTF8(string(body), "?")); err != nil {
			t.Fatal(err)
		}
		if hasUnicodeEscape(encoded.Bytes()) {
			t.Errorf("what a Go client without HTML escaping sends is refused: %s", encoded.Bytes())
		}
	})
}
