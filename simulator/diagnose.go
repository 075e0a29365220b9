package simulator

import (
	"net"
	"slices"
)

// checkCallback serves POST /cgi-bin/callback/check (网络检测). It reports a
// callback address that is well as soon as there is one; nobody is asked.
func (p *Platform) checkCallback(r *apiRequest) apiAnswer {
	var asked struct {
		Action   string `json:"action"`
		Operator string `json:"check_operator"`
	}
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}
	switch {
	case !slices.Contains([]string{"dns", "ping", "all"}, asked.Action):
		return refuse(codeCheckAction)
	case !slices.Contains([]string{"CHINANET", "UNICOM", "CAP", "DEFAULT"}, asked.Operator):
		return refuse(codeCheckOperator)
	case r.state.CallbackURL == "":
		return refuse(codeNoCallbackURL)
	}
	const address, operator = "192.0.2.10", "CAP"
	found := map[string]any{}
	if asked.Action != "ping" {
		found["dns"] = []map[string]string{{"ip": address, "real_operator": operator}}
	}
	if asked.Action != "dns" {
		found["ping"] = []map[string]string{{"ip": address, "from_operator": operator, "package_loss": "0%", "time": "20.035ms"}}
	}

	return answer(found)
}

// getSelfMenu serves GET /cgi-bin/get_current_selfmenu_info (查询自定义菜单信息).
func (p *Platform) getSelfMenu(r *apiRequest) apiAnswer {
	if r.state.menus.standard == nil {
		return answer(map[string]any{"is_menu_open": 0, "selfmenu_info": Menu{Button: []Button{}}})
	}

	return answer(map[string]any{"is_menu_open": 1, "selfmenu_info": r.state.menus.standard})
}

// listAgents serves GET /cgi-bin/customservice/getkflist (获取所有客服账号): the
// simulator's account has none.
func (p *Platform) listAgents(*apiRequest) apiAnswer {
	return answer(map[string]any{"kf_list": []any{}})
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
