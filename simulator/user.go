package simulator

import (
	"net"
	"slices"
)

// userInfo is the answer of 获取用户基本信息. Nickname and avatar are no longer given
// by WeChat since the end of 2021.
type userInfo struct {
	Subscribe      int    `json:"subscribe"`
	OpenID         string `json:"openid"`
	Language       string `json:"language,omitempty"`
	SubscribeTime  int64  `json:"subscribe_time,omitempty"`
	SubscribeScene string `json:"subscribe_scene,omitempty"`
}

// getUserInfo serves GET /cgi-bin/user/info. Of somebody who doesn't follow, WeChat
// tells nothing but that.
func (p *Platform) getUserInfo(r *apiRequest) apiAnswer {
	known, ok := r.state.followers[r.query.Get("openid")]
	switch {
	case !ok:
		return refuse(codeOpenID)
	case !known.following:
		return answer(userInfo{OpenID: known.openID})
	default:
		return answer(userInfo{
			Subscribe: 1, OpenID: known.openID, Language: "zh_CN",
			SubscribeTime: known.followedAt.Unix(), SubscribeScene: "ADD_SCENE_SEARCH",
		})
	}
}

// listUsers serves GET /cgi-bin/user/get. One page of WeChat's holds 10,000, more
// than the simulator keeps.
func (p *Platform) listUsers(r *apiRequest) apiAnswer {
	ids := make([]string, 0, len(r.state.followers))
	for _, known := range r.state.followers {
		if known.following {
			ids = append(ids, known.openID)
		}
	}
	slices.Sort(ids)
	total := len(ids)
	start, _ := slices.BinarySearch(ids, r.query.Get("next_openid")+"\x00")
	ids = ids[start:]
	next := ""
	if len(ids) > 0 {
		next = ids[len(ids)-1]
	}

	return answer(map[string]any{
		"total": total, "count": len(ids), "data": map[string]any{"openid": ids}, "next_openid": next,
	})
}

// getCallbackIP serves GET /cgi-bin/getcallbackip and its sister for the API hosts.
// The first entries are examples from the blocks for documentation (RFC 5737), the
// others the addresses of this host, from which the simulator's own pushes come.
func (p *Platform) getCallbackIP(_ *apiRequest) apiAnswer {
	list := append([]string{"192.0.2.1", "192.0.2.2", "198.51.100.0/24"}, ownAddresses()...)

	return answer(map[string]any{"ip_list": list})
}

// ownAddresses returns the addresses of this host, as far as the system tells.
func ownAddresses() []string {
	interfaces, _ := net.InterfaceAddrs() // without them only the examples remain.
	var list []string
	for _, one := range interfaces {
		if network, ok := one.(*net.IPNet); ok && !network.IP.IsLinkLocalUnicast() {
			list = append(list, network.IP.String())
		}
	}

	return list
}
