package simulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// TestQRCodeRules covers api.md section 5, QR code.
func TestQRCodeRules(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	token := withToken(stableToken(t, platform))
	scene := func(action, rest, scene string) string {
		return `{` + rest + `"action_name":"` + action + `","action_info":{"scene":{` + scene + `}}}`
	}
	for name, test := range map[string]struct {
		body string
		want errcode.Code
		life any // nil means none.
	}{
		"temporary":       {scene("QR_SCENE", `"expire_seconds":604800,`, `"scene_id":123`), errcode.OK, 604800.0},
		"30 days":         {scene("QR_SCENE", `"expire_seconds":2592000,`, `"scene_id":4294967295`), errcode.OK, 2592000.0},
		"default life":    {scene("QR_STR_SCENE", ``, `"scene_str":"`+strings.Repeat("字", 64)+`"`), errcode.OK, 30.0},
		"permanent":       {scene("QR_LIMIT_SCENE", ``, `"scene_id":100000`), errcode.OK, nil},
		"permanent text":  {scene("QR_LIMIT_STR_SCENE", `"expire_seconds":0,`, `"scene_str":"x"`), errcode.OK, nil},
		"action":          {scene("QR_CARD", ``, `"scene_id":1`), errcode.ActionName, nil},
		"31 days":         {scene("QR_SCENE", `"expire_seconds":2592001,`, `"scene_id":1`), errcode.Arguments, nil},
		"no life":         {scene("QR_SCENE", `"expire_seconds":0,`, `"scene_id":1`), errcode.Arguments, nil},
		"zero":            {scene("QR_SCENE", ``, `"scene_id":0`), errcode.ActionInfo, nil},
		"33 bits":         {scene("QR_SCENE", ``, `"scene_id":4294967296`), errcode.ActionInfo, nil},
		"permanent scene": {scene("QR_LIMIT_SCENE", ``, `"scene_id":100001`), errcode.ActionInfo, nil},
		"no text":         {scene("QR_STR_SCENE", ``, `"scene_id":1`), errcode.ActionInfo, nil},
		"long text":       {scene("QR_LIMIT_STR_SCENE", ``, `"scene_str":"`+strings.Repeat("x", 65)+`"`), errcode.ActionInfo, nil},
		"text as id":      {scene("QR_SCENE", ``, `"scene_id":"1"`), errcode.JSON, nil},
	} {
		given := api(t, platform, http.MethodPost, "/cgi-bin/qrcode/create", token, test.body)
		if got := errCode(given); got != int(test.want) || given["expire_seconds"] != test.life {
			t.Errorf("%s: errcode %d, life %v; want %d, %v", name, got, given["expire_seconds"], test.want, test.life)
		}
		if test.want == errcode.OK && (textOf(given, "ticket") == "" || !strings.HasPrefix(textOf(given, "url"), "http://weixin.qq.com/q/")) {
			t.Errorf("%s: %v", name, given)
		}
	}
}

// TestQRCodePicture makes sure that the picture needs no token and ends with its code.
func TestQRCodePicture(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	given := api(t, platform, http.MethodPost, "/cgi-bin/qrcode/create", withToken(stableToken(t, platform)),
		`{"expire_seconds":60,"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"x"}}}`)
	show := func(ticket string) (int, string) {
		status, data := request(t, http.MethodGet, platform.URL()+"/cgi-bin/showqrcode?ticket="+url.QueryEscape(ticket), "")

		return status, http.DetectContentType(data)
	}
	if status, kind := show(textOf(given, "ticket")); status != http.StatusOK || kind != media.TypePNG {
		t.Errorf("picture: status %d, %s", status, kind)
	}
	if status, _ := show("x"); status != http.StatusNotFound {
		t.Errorf("unknown ticket: status %d", status)
	}
	if err := platform.AdvanceClock(time.Minute); err != nil {
		t.Fatal(err)
	}
	if status, _ := show(textOf(given, "ticket")); status != http.StatusNotFound {
		t.Errorf("after its life: status %d", status)
	}
}
