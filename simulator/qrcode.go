package simulator

import (
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// The rules of QR codes with parameters (生成带参数的二维码).
const (
	maxQRLife         = 2_592_000 // Seconds, 30 days.
	defaultQRLife     = 30        // Seconds.
	maxPermanentScene = 100_000
	maxSceneText      = 64 // Characters.
)

// qrRequest is the body of qrcode/create.
type qrRequest struct {
	ExpireSeconds *int   `json:"expire_seconds"`
	ActionName    string `json:"action_name"`
	ActionInfo    struct {
		Scene struct {
			ID   int64  `json:"scene_id"`
			Text string `json:"scene_str"`
		} `json:"scene"`
	} `json:"action_info"`
}

// permanent reports whether the code never ends.
func (q qrRequest) permanent() bool {
	return q.ActionName == "QR_LIMIT_SCENE" || q.ActionName == "QR_LIMIT_STR_SCENE"
}

// check returns the refusal. The documents give the limits but not their codes: the
// table of codes names a bad scene (40053), and 40097 for a bad life is a guess.
func (q qrRequest) check() errcode {
	scene, length := q.ActionInfo.Scene, utf8.RuneCountInString(q.ActionInfo.Scene.Text)
	var fits bool
	switch q.ActionName {
	case "QR_SCENE":
		fits = scene.ID > 0 && scene.ID < 1<<32
	case "QR_LIMIT_SCENE":
		fits = scene.ID > 0 && scene.ID <= maxPermanentScene
	case "QR_STR_SCENE", "QR_LIMIT_STR_SCENE":
		fits = length > 0 && length <= maxSceneText
	default:
		return codeActionName
	}
	switch {
	case !fits:
		return codeActionInfo
	case q.ExpireSeconds != nil && !q.permanent() && (*q.ExpireSeconds < 1 || *q.ExpireSeconds > maxQRLife):
		return codeArguments
	default:
		return codeOK
	}
}

func qrEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/qrcode/create": post((*Platform).createQRCode),
		"/cgi-bin/showqrcode":    get((*Platform).showQRCode).withoutToken(),
	}
}

// createQRCode serves POST /cgi-bin/qrcode/create. Whoever plays the follower scans
// it with a Push of EventScan that has the ticket.
func (p *Platform) createQRCode(r *apiRequest) apiAnswer {
	var asked qrRequest
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	if code := asked.check(); code != codeOK {
		return refuse(code)
	}
	value := newTokenValue(1)[2:]
	created := qrCode{ticket: "gQ" + value[:94], url: "http://weixin.qq.com/q/" + value[94:116]}
	given := map[string]any{"ticket": created.ticket, "url": created.url}
	if !asked.permanent() {
		life := defaultQRLife
		if asked.ExpireSeconds != nil {
			life = *asked.ExpireSeconds
		}
		given["expire_seconds"] = life
		created.expires = r.now.Add(time.Duration(life) * time.Second)
	}
	r.state.qrCodes.add(created)

	return answer(given)
}

// qrCode is a code that the account made.
type qrCode struct {
	ticket, url string
	expires     time.Time // Zero means never.
}

// showQRCode serves GET /cgi-bin/showqrcode of mp.weixin.qq.com. The picture is a
// picture, but no phone could scan it. Of an unknown ticket there is none.
func (p *Platform) showQRCode(r *apiRequest) apiAnswer {
	ticket := r.query.Get("ticket")
	for _, account := range p.state.accounts {
		for _, created := range account.qrCodes.values {
			if created.ticket != ticket || (!created.expires.IsZero() && !r.now.Before(created.expires)) {
				continue
			}
			picture := samplePicture()

			return apiAnswer{status: http.StatusOK, body: picture, header: http.Header{
				"Content-Type": {typePNG}, "Content-Length": {strconv.Itoa(len(picture))},
			}}
		}
	}

	return apiAnswer{status: http.StatusNotFound}
}
