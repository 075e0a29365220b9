package simulator

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"rsc.io/qr"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
	"github.com/wxstack/wxstack/simulator/internal/token"
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
func (q qrRequest) check() errcode.Code {
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
		return errcode.ActionName
	}
	switch {
	case !fits:
		return errcode.ActionInfo
	case q.ExpireSeconds != nil && !q.permanent() && (*q.ExpireSeconds < 1 || *q.ExpireSeconds > maxQRLife):
		return errcode.Arguments
	default:
		return errcode.OK
	}
}

func qrEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/qrcode/create": post((*Platform).createQRCode),
		"/cgi-bin/showqrcode":    get((*Platform).showQRCode).withoutToken(),
	}
}

// scene is what the code stands for, as text.
func (q qrRequest) scene() string {
	if scene := q.ActionInfo.Scene; scene.Text != "" {
		return scene.Text
	}

	return strconv.FormatInt(q.ActionInfo.Scene.ID, 10)
}

// createQRCode serves POST /cgi-bin/qrcode/create. Scan is a follower who scans it.
func (p *Platform) createQRCode(r *apiRequest) apiAnswer {
	var asked qrRequest
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}
	if code := asked.check(); code != errcode.OK {
		return refuse(code)
	}
	value := token.NewValue(1)[2:]
	created := qrCode{scene: asked.scene(), text: asked.ActionInfo.Scene.Text != "", ticket: "gQ" + value[:94], url: "http://weixin.qq.com/q/" + value[94:116]}
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
	scene, ticket, url string
	text               bool      // Whether the scene is a text (scene_str), digits or not.
	expires            time.Time // Zero means never.
}

// scannable reports whether the code is still good.
func (c qrCode) scannable(now time.Time) bool { return c.expires.IsZero() || now.Before(c.expires) }

// qrCode finds the code of a ticket and whose it is.
func (s *state) qrCode(ticket string, now time.Time) (*accountState, qrCode, bool) {
	for _, account := range s.accounts {
		for _, created := range account.qrCodes.values {
			if created.ticket == ticket && created.scannable(now) {
				return account, created, true
			}
		}
	}

	return nil, qrCode{}, false
}

// saysText reports whether the scene of the code with that ticket is a text. Of unknown codes its looks decide.
func (a *accountState) saysText(ticket, scene string) bool {
	for _, created := range a.qrCodes.values {
		if created.ticket == ticket {
			return created.text
		}
	}
	_, err := strconv.Atoi(scene)

	return err != nil
}

// Scan is somebody who scans a QR code of qrcode/create by its ticket (扫描带参数二维码): a follower causes the event SCAN
// with the scene, anybody else follows by it, which is subscribe with qrscene_ before the scene. An empty OpenID means
// DefaultFollower. A ticket that is unknown or has ended is an error.
func (p *Platform) Scan(ctx context.Context, ticket, openID string) (PushResult, error) {
	push, err := p.scanOf(ticket, cmp.Or(openID, DefaultFollower))
	if err != nil {
		return PushResult{}, err
	}

	return p.Push(ctx, push)
}

// scanOf is the event that a scan causes.
func (p *Platform) scanOf(ticket, openID string) (Push, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, created, found := p.state.qrCode(ticket, p.state.clock.now())
	if !found {
		return Push{}, fmt.Errorf("%w: ticket %q is no QR code that can be scanned: it is unknown or has ended", ErrInvalid, ticket)
	}
	push := Push{Account: account.AppID, From: openID, Type: TypeEvent, Event: EventScan, EventKey: created.scene, Ticket: ticket}
	if known, ok := account.followers[openID]; !ok || !known.following {
		push.Event, push.EventKey = EventSubscribe, scenePrefix+created.scene
	}

	return push, nil
}

// scenePrefix stands before the scene of somebody who follows by a code.
const scenePrefix = "qrscene_"

// controlScan serves POST /sim/v1/scan.
func (p *Platform) controlScan(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Ticket string `json:"ticket"`
		From   string `json:"from"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return p.Scan(r.Context(), asked.Ticket, asked.From)
}

// showQRCode serves GET /cgi-bin/showqrcode of mp.weixin.qq.com: a code that phones can read; what it leads to is WeChat's,
// which knows nothing of it. Of an unknown ticket there is none.
func (p *Platform) showQRCode(r *apiRequest) apiAnswer {
	_, created, found := p.state.qrCode(r.query.Get("ticket"), r.now)
	if !found {
		return apiAnswer{status: http.StatusNotFound}
	}
	code, err := qr.Encode(created.url, qr.M)
	if err != nil {
		return apiAnswer{status: http.StatusNotFound} // The address is short and of ASCII.
	}
	picture := code.PNG()

	return apiAnswer{status: http.StatusOK, body: picture, header: http.Header{
		"Content-Type": {media.TypePNG}, "Content-Length": {strconv.Itoa(len(picture))},
	}}
}
