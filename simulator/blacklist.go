package simulator

import "github.com/wxstack/wxstack/simulator/internal/errcode"

// maxBlacklistedAtOnce is how many followers one call puts on the blacklist, or takes off it (黑名单管理).
const maxBlacklistedAtOnce = 20

// maxMovedAtOnce is how many OpenIDs changeopenid translates at once (账号迁移).
const maxMovedAtOnce = 100

func blacklistEndpoints() map[string]endpoint {
	const base = "/cgi-bin/tags/members/"

	return map[string]endpoint{
		base + "getblacklist":     post((*Platform).listBlacklisted),
		base + "batchblacklist":   post(blacklisting(true)),
		base + "batchunblacklist": post(blacklisting(false)),

		"/cgi-bin/changeopenid":               post((*Platform).changeOpenIDs),
		"/cgi-bin/get_current_autoreply_info": get((*Platform).getAutoReply),
	}
}

// listBlacklisted serves POST /cgi-bin/tags/members/getblacklist.
func (p *Platform) listBlacklisted(r *apiRequest) apiAnswer {
	var asked struct {
		Begin string `json:"begin_openid"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	ids, total := r.state.openIDs(asked.Begin, func(one *follower) bool { return one.blacklisted })
	page := pageOfOpenIDs(ids)
	page["total"] = total

	return answer(page)
}

// blacklisting serves batchblacklist and batchunblacklist: all of the followers or none.
func blacklisting(on bool) func(*Platform, *apiRequest) apiAnswer {
	return func(_ *Platform, r *apiRequest) apiAnswer {
		var asked struct {
			OpenIDs []string `json:"openid_list"`
		}
		if code := r.decode(&asked); code != errcode.OK {
			return refuse(code)
		}
		if len(asked.OpenIDs) == 0 || len(asked.OpenIDs) > maxBlacklistedAtOnce {
			return refuse(errcode.OpenIDs)
		}
		for _, openID := range asked.OpenIDs {
			if _, known := r.state.followers[openID]; !known {
				return refuse(errcode.OpenID)
			}
		}
		for _, openID := range asked.OpenIDs {
			r.state.followers[openID].blacklisted = on
		}

		return refuse(errcode.OK)
	}
}

// changeOpenIDs serves POST /cgi-bin/changeopenid. No account has moved to the simulator: none of the OpenIDs is known.
func (p *Platform) changeOpenIDs(r *apiRequest) apiAnswer {
	var asked struct {
		From    string   `json:"from_appid"`
		OpenIDs []string `json:"openid_list"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	if len(asked.OpenIDs) == 0 || len(asked.OpenIDs) > maxMovedAtOnce {
		return refuse(errcode.OpenIDs)
	}
	type moved struct {
		From    string `json:"ori_openid"`
		To      string `json:"new_openid"`
		Problem string `json:"err_msg"`
	}
	list := make([]moved, 0, len(asked.OpenIDs))
	for _, openID := range asked.OpenIDs {
		list = append(list, moved{From: openID, Problem: "ori_openid error"})
	}

	return answerOK(map[string]any{"result_list": list})
}

// getAutoReply serves GET /cgi-bin/get_current_autoreply_info: the console's own replies are off, as they are once a
// server is configured.
func (p *Platform) getAutoReply(*apiRequest) apiAnswer {
	return answer(map[string]int{"is_add_friend_reply_open": 0, "is_autoreply_open": 0})
}
