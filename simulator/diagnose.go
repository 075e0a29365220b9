package simulator

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/menu"
)

// checkCallback serves POST /cgi-bin/callback/check (网络检测): it looks up the callback URL's host, and knocks at its
// port where WeChat sends a packet. All operators look from here.
func (p *Platform) checkCallback(r *apiRequest) apiAnswer {
	var asked struct {
		Action   string `json:"action"`
		Operator string `json:"check_operator"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	switch {
	case !slices.Contains([]string{"dns", "ping", "all"}, asked.Action):
		return refuse(errcode.CheckAction)
	case !slices.Contains([]string{"CHINANET", "UNICOM", "CAP", "DEFAULT"}, asked.Operator):
		return refuse(errcode.CheckOperator)
	}
	target, err := url.Parse(r.state.CallbackURL)
	if err != nil || target.Host == "" {
		return refuse(errcode.NoCallbackURL)
	}

	return apiAnswer{work: func(ctx context.Context) apiAnswer { return knock(ctx, target, asked.Action) }}
}

// knock looks up a host and tries its port.
func knock(ctx context.Context, target *url.URL, action string) apiAnswer {
	const patience, operator = 2 * time.Second, "CAP"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	port := cmp.Or(target.Port(), map[string]string{"https": "443"}[target.Scheme], "80")
	addresses, _ := net.DefaultResolver.LookupHost(ctx, target.Hostname()) // An unknown host has none.
	dns, ping := []map[string]string{}, []map[string]string{}
	for _, address := range addresses {
		dns = append(dns, map[string]string{"ip": address, "real_operator": operator})
		if action == "dns" {
			continue
		}
		started, loss := time.Now(), "0%"
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(address, port))
		if err != nil {
			loss = "100%"
		} else {
			_ = connection.Close() // It was reached.
		}
		ping = append(ping, map[string]string{
			"ip": address, "from_operator": operator, "package_loss": loss, "time": fmt.Sprintf("%.3fms", milliseconds(time.Since(started))),
		})
	}
	found := map[string]any{}
	if action != "ping" {
		found["dns"] = dns
	}
	if action != "dns" {
		found["ping"] = ping
	}

	return answer(found)
}

// getSelfMenu serves GET /cgi-bin/get_current_selfmenu_info (查询自定义菜单信息). Entries of a button stand in a list, unlike
// those of menu/get.
func (p *Platform) getSelfMenu(r *apiRequest) apiAnswer {
	if r.state.menus.Standard == nil {
		return answer(map[string]any{"is_menu_open": 0, "selfmenu_info": map[string]any{"button": []any{}}})
	}

	return answer(map[string]any{"is_menu_open": 1, "selfmenu_info": map[string]any{"button": selfMenu(r.state.menus.Standard.Button)}})
}

// selfMenuButton is a button as get_current_selfmenu_info shows it.
type selfMenuButton struct {
	Type  string `json:"type,omitempty"`
	Name  string `json:"name"`
	Key   string `json:"key,omitempty"`
	URL   string `json:"url,omitempty"`
	Value string `json:"value,omitempty"` // The media_id.

	Entries *selfMenuList `json:"sub_button,omitempty"`
}

type selfMenuList struct {
	List []selfMenuButton `json:"list"`
}

func selfMenu(buttons []menu.Button) []selfMenuButton {
	shown := make([]selfMenuButton, 0, len(buttons))
	for _, button := range buttons {
		one := selfMenuButton{Type: button.Type, Name: button.Name, Key: button.Key, URL: button.URL, Value: button.MediaID}
		if len(button.SubButton) > 0 {
			one.Entries = &selfMenuList{List: selfMenu(button.SubButton)}
		}
		shown = append(shown, one)
	}

	return shown
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
