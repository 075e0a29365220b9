package simulator

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

const (
	// maxUsersAtOnce is how many followers one call may ask about (批量获取用户基本信息).
	maxUsersAtOnce = 100
	// maxRemark is the limit of a remark (备注名) in characters.
	maxRemark = 30
)

func userEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/user/info":              get((*Platform).getUserInfo),
		"/cgi-bin/user/info/batchget":     post((*Platform).getUsersInfo),
		"/cgi-bin/user/info/updateremark": post((*Platform).updateRemark),
		"/cgi-bin/user/get":               get((*Platform).listUsers),
	}
}

// userInfo is the answer of 获取用户基本信息. Nickname and avatar are no longer given
// by WeChat since the end of 2021.
type userInfo struct {
	Subscribe int    `json:"subscribe"`
	OpenID    string `json:"openid"`
	*followerInfo
}

// followerInfo is what WeChat tells of those who follow only.
type followerInfo struct {
	Language       string `json:"language"`
	SubscribeTime  int64  `json:"subscribe_time"`
	Remark         string `json:"remark"`
	GroupID        int    `json:"groupid"` // The first tag, as in the time of groups.
	TagIDs         []int  `json:"tagid_list"`
	SubscribeScene string `json:"subscribe_scene"`
	QRScene        int    `json:"qr_scene"`
	QRSceneText    string `json:"qr_scene_str"`
}

// info tells about a follower. Of somebody who doesn't follow, WeChat tells nothing
// but that.
func (f *follower) info() userInfo {
	if !f.following {
		return userInfo{OpenID: f.openID}
	}
	group := 0
	if len(f.tags) > 0 {
		group = f.tags[0]
	}

	info := &followerInfo{
		Language: "zh_CN", SubscribeTime: f.followedAt.Unix(), Remark: f.remark, GroupID: group,
		TagIDs: append([]int{}, f.tags...), SubscribeScene: "ADD_SCENE_SEARCH",
	}
	if f.scene != "" {
		info.SubscribeScene = "ADD_SCENE_QR_CODE"
		if f.textScene {
			info.QRSceneText = f.scene
		} else {
			info.QRScene, _ = strconv.Atoi(f.scene) // A number, as the code was made.
		}
	}

	return userInfo{Subscribe: 1, OpenID: f.openID, followerInfo: info}
}

// SetRefusal lets a follower refuse the messages of an account (拒收), or take them again: customer-service messages are
// then answered with 48002, and template messages end as failed:user block. Empty names mean the first account and
// DefaultFollower.
func (p *Platform) SetRefusal(appID, openID string, refuses bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	known, err := account.follower(cmp.Or(openID, DefaultFollower), p.state.clock.now())
	if err != nil {
		return err
	}
	known.refuses = refuses

	return nil
}

// controlRefusal serves POST /sim/v1/followers/refuse.
func (p *Platform) controlRefusal(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		OpenID  string `json:"openid"`
		Refuses bool   `json:"refuses"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.SetRefusal(asked.Account, asked.OpenID, asked.Refuses)
}

// getUserInfo serves GET /cgi-bin/user/info.
func (p *Platform) getUserInfo(r *apiRequest) apiAnswer {
	known, ok := r.state.followers[r.query.Get("openid")]
	if !ok {
		return refuse(errcode.OpenID)
	}

	return answer(known.info())
}

// getUsersInfo serves POST /cgi-bin/user/info/batchget.
func (p *Platform) getUsersInfo(r *apiRequest) apiAnswer {
	var asked struct {
		Users []struct {
			OpenID string `json:"openid"`
		} `json:"user_list"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	if len(asked.Users) == 0 || len(asked.Users) > maxUsersAtOnce {
		return refuse(errcode.OpenIDs)
	}
	list := make([]userInfo, 0, len(asked.Users))
	for _, user := range asked.Users {
		known, ok := r.state.followers[user.OpenID]
		if !ok {
			return refuse(errcode.OpenID)
		}
		list = append(list, known.info())
	}

	return answer(map[string]any{"user_info_list": list})
}

// updateRemark serves POST /cgi-bin/user/info/updateremark. The documents give the
// limit but no code.
func (p *Platform) updateRemark(r *apiRequest) apiAnswer {
	var asked struct {
		OpenID string `json:"openid"`
		Remark string `json:"remark"`
	}
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}
	known, code := r.recipient(asked.OpenID)
	switch {
	case code != errcode.OK:
		return refuse(code)
	case utf8.RuneCountInString(asked.Remark) > maxRemark:
		return refuse(errcode.Arguments)
	}
	known.remark = asked.Remark

	return refuse(errcode.OK)
}

// openIDs returns the OpenIDs of the followers whom the test accepts, sorted, from
// the one after next on, and how many there are in all.
func (a *accountState) openIDs(next string, accept func(*follower) bool) ([]string, int) {
	ids := make([]string, 0, len(a.followers))
	for _, known := range a.followers {
		if known.following && accept(known) {
			ids = append(ids, known.openID)
		}
	}
	slices.Sort(ids)
	start, _ := slices.BinarySearch(ids, next+"\x00")

	return ids[start:], len(ids)
}

// pageOfOpenIDs is a page of followers, which names the last one for the next page.
func pageOfOpenIDs(ids []string) map[string]any {
	next := ""
	if len(ids) > 0 {
		next = ids[len(ids)-1]
	}

	return map[string]any{"count": len(ids), "data": map[string]any{"openid": ids}, "next_openid": next}
}

// listUsers serves GET /cgi-bin/user/get. One page of WeChat's holds 10,000, more
// than the simulator keeps.
func (p *Platform) listUsers(r *apiRequest) apiAnswer {
	ids, total := r.state.openIDs(r.query.Get("next_openid"), func(*follower) bool { return true })
	page := pageOfOpenIDs(ids)
	page["total"] = total

	return answer(page)
}
