package simulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// PermissionSet is a set of APIs (权限集) that an account grants to a third-party platform, by WeChat's number. The numbers
// and what belongs to them are general knowledge of the platform.
type PermissionSet int

// The permission sets of Official Accounts of which the simulator has APIs.
const (
	PermitMessages PermissionSet = 1  // Messages (消息管理).
	PermitUsers    PermissionSet = 2  // Users and tags (用户管理).
	PermitAccount  PermissionSet = 3  // QR codes and short keys (帐号服务).
	PermitWeb      PermissionSet = 4  // OAuth2 and the JS-SDK (网页服务).
	PermitAgents   PermissionSet = 6  // Customer-service agents (微信多客服).
	PermitNotices  PermissionSet = 7  // Mass, template and subscription messages (群发与通知).
	PermitMaterial PermissionSet = 11 // Files, drafts and publications (素材管理).
	PermitMenus    PermissionSet = 15 // Menus (自定义菜单).
)

// allPermissions is what an authorisation grants if it doesn't say.
var allPermissions = []PermissionSet{
	PermitMessages, PermitUsers, PermitAccount, PermitWeb, PermitAgents, PermitNotices, PermitMaterial, PermitMenus,
}

// Name is what the set is called on the page of the authorisation.
func (s PermissionSet) Name() string {
	return map[PermissionSet]string{
		PermitMessages: "消息管理", PermitUsers: "用户管理", PermitAccount: "帐号服务", PermitWeb: "网页服务", PermitAgents: "微信多客服",
		PermitNotices: "群发与通知", PermitMaterial: "素材管理", PermitMenus: "自定义菜单",
	}[s]
}

// permissionPaths tells which sets let a path be called, by the first prefix that fits: any of them does.
var permissionPaths = []struct {
	prefix string
	sets   []PermissionSet
}{
	{"/cgi-bin/message/custom/", []PermissionSet{PermitMessages, PermitAgents}},
	{"/cgi-bin/message/", []PermissionSet{PermitNotices}},
	{"/cgi-bin/template/", []PermissionSet{PermitNotices}},
	{"/wxaapi/newtmpl/", []PermissionSet{PermitNotices}},
	{"/cgi-bin/user/", []PermissionSet{PermitUsers}},
	{"/cgi-bin/tags/", []PermissionSet{PermitUsers}},
	{"/cgi-bin/qrcode/", []PermissionSet{PermitAccount}},
	{"/cgi-bin/shorten/", []PermissionSet{PermitAccount}},
	{"/cgi-bin/ticket/", []PermissionSet{PermitWeb}},
	{"/cgi-bin/customservice/", []PermissionSet{PermitAgents}},
	{"/customservice/", []PermissionSet{PermitAgents}},
	{"/cgi-bin/media/", []PermissionSet{PermitMessages, PermitNotices, PermitMaterial}},
	{"/cgi-bin/material/", []PermissionSet{PermitMaterial}},
	{"/cgi-bin/draft/", []PermissionSet{PermitMaterial}},
	{"/cgi-bin/freepublish/", []PermissionSet{PermitMaterial}},
	{"/cgi-bin/menu/", []PermissionSet{PermitMenus}},
	{"/cgi-bin/get_current_selfmenu_info", []PermissionSet{PermitMenus}},
}

// permits reports whether the granted sets let a path be called. What belongs to no set may always be.
func permits(granted []PermissionSet, path string) bool {
	for _, one := range permissionPaths {
		if strings.HasPrefix(path, one.prefix) {
			return slices.ContainsFunc(one.sets, func(set PermissionSet) bool { return slices.Contains(granted, set) })
		}
	}

	return true
}

// permission returns the refusal of a third-party platform's call for an account that hasn't granted it.
func (s *state) permission(call *apiRequest) errcode.Code {
	if call.token.Kind != TokenAuthorizer || permits(s.accounts[call.token.Platform].component.granted[call.account], call.path) {
		return errcode.OK
	}

	return errcode.NotGranted
}

// checkPermissions returns what an authorisation grants: all sets if it names none.
func checkPermissions(named []PermissionSet) ([]PermissionSet, error) {
	if len(named) == 0 {
		return allPermissions, nil
	}
	for _, set := range named {
		if !slices.Contains(allPermissions, set) {
			return nil, fmt.Errorf("%w: func_info has %d, which is no permission set, use some of %v", ErrInvalid, set, allPermissions)
		}
	}

	return slices.Compact(slices.Sorted(slices.Values(named))), nil
}

// grantedFunction is how a permission set stands in WeChat's answers.
type grantedFunction struct {
	Category struct {
		ID PermissionSet `json:"id"`
	} `json:"funcscope_category"`
}

// functionInfo is the func_info of an authorisation.
func functionInfo(granted []PermissionSet) []grantedFunction {
	list := make([]grantedFunction, len(granted))
	for position, set := range granted {
		list[position].Category.ID = set
	}

	return list
}
