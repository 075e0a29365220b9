package simulator

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// Condition is something that is wrong with an account at WeChat, such as a frozen AppSecret.
type Condition struct {
	// ErrCode is what its calls are refused with. Those of the token endpoints are 40243 (the AppSecret is frozen), 50004
	// (the endpoint is forbidden), 50007 (the account is frozen), 89501, 89503, 89506 and 89507 (the administrator must
	// confirm the address, or refused it). Those of all other APIs are 48001 (not authorised, as for an account that isn't
	// certified), 48004 (banned), 50001 and 50002 (restricted).
	ErrCode int
	// Path is the only API that it concerns, such as /cgi-bin/message/custom/send; empty means all.
	Path string
}

// conditionCodes tells which conditions concern the token endpoints (获取接口调用凭据, table of return codes).
var conditionCodes = map[errcode.Code]bool{
	errcode.SecretFrozen: true, errcode.TokenForbidden: true, errcode.AccountFrozen: true,
	errcode.IPWaits: true, errcode.IPUnconfirmed: true, errcode.IPRefusedTwice: true, errcode.IPRefused: true,
	errcode.Unauthorized: false, errcode.Banned: false, errcode.UserRestricted: false, errcode.Restricted: false,
}

// SetCondition adds a condition to an account; the first that concerns a call counts. They last until Reset. An ErrCode of
// 0 removes all of them.
func (p *Platform) SetCondition(appID string, condition Condition) error {
	_, known := conditionCodes[errcode.Code(condition.ErrCode)]
	switch {
	case condition.ErrCode != 0 && !known:
		return fmt.Errorf("%w: errcode %d is no condition of an account, use a fault for it", ErrInvalid, condition.ErrCode)
	case condition.Path != "" && !known:
		return fmt.Errorf("%w: errcode is missing", ErrInvalid)
	}
	if _, exists := endpoints()[condition.Path]; condition.Path != "" && !exists {
		return fmt.Errorf("%w: path %q is no API, use one like /cgi-bin/user/get", ErrInvalid, condition.Path)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	if account.Kind == KindPlatform {
		return fmt.Errorf("%w: account %q is a third-party platform, whose calls are never refused this way, use a fault", ErrInvalid, account.AppID)
	}
	if condition.ErrCode == 0 {
		account.conditions = nil
	} else {
		account.conditions = append(account.conditions, condition)
	}
	p.state.hub.publish(topicState)

	return nil
}

// condition returns what a call is refused with because of the account's state, 0 if nothing is wrong.
func (a *accountState) condition(path string, fetchesToken bool) errcode.Code {
	for _, condition := range a.conditions {
		code := errcode.Code(condition.ErrCode)
		if conditionCodes[code] == fetchesToken && (condition.Path == "" || condition.Path == path) {
			return code
		}
	}

	return errcode.OK
}

// SetIPAllowList sets the addresses from which the account's tokens may be fetched (IP白名单), each an address or a
// block such as 10.0.0.0/8. None lets all pass, which is how an account begins here; at WeChat none lets nobody pass. A
// third-party platform's list (白名单IP地址列表) holds for all of its own calls.
func (p *Platform) SetIPAllowList(appID string, addresses []string) error {
	allowed := []netip.Prefix{}
	for _, text := range addresses {
		address, err := netip.ParseAddr(text)
		if err == nil {
			allowed = append(allowed, netip.PrefixFrom(address, address.BitLen()))

			continue
		}
		block, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%w: %q is neither an address nor a block like 10.0.0.0/8", ErrInvalid, text)
		}
		allowed = append(allowed, block)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	account, err := p.state.account(appID)
	if err != nil {
		return err
	}
	account.allowedIPs = allowed
	p.state.hub.publish(topicState)

	return nil
}

// mayFetch checks whether the caller may fetch the account's token, and returns the refusal if not.
func (r *apiRequest) mayFetch(account *accountState) (apiAnswer, bool) {
	if code := account.condition(r.path, true); code != errcode.OK {
		return refuse(code), false
	}
	if account.admits(r.remote) {
		return apiAnswer{}, true
	}
	mapped := r.remote
	if caller, err := netip.ParseAddr(r.remote); err == nil && caller.Is4() {
		mapped = "::ffff:" + mapped
	}

	return refuseSaying(errcode.IPNotAllowed, fmt.Sprintf("invalid ip %s ipv6 %s, not in whitelist", r.remote, mapped)), false
}

// admits reports whether the account's list lets an address pass.
func (a *accountState) admits(remote string) bool {
	caller, err := netip.ParseAddr(remote)

	return err != nil || len(a.allowedIPs) == 0 || slices.ContainsFunc(a.allowedIPs, func(block netip.Prefix) bool { return block.Contains(caller) })
}

// remoteIP is the address of whoever called.
func remoteIP(r *http.Request) string {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}

	return address.Addr().Unmap().String()
}

func (p *Platform) controlCondition(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account string `json:"account"`
		ErrCode int    `json:"errcode"`
		Path    string `json:"path"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.SetCondition(asked.Account, Condition{ErrCode: asked.ErrCode, Path: asked.Path})
}

func (p *Platform) controlIPAllowList(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked struct {
		Account   string   `json:"account"`
		Addresses []string `json:"addresses"`
	}
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}

	return done{OK: true}, p.SetIPAllowList(asked.Account, asked.Addresses)
}
