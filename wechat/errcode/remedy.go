package errcode

// Remedy returns one line for an operator: what to do about the code, and where
// in the console (微信公众平台 mp.weixin.qq.com). It is never empty.
func (c Code) Remedy() string {
	if remedy, ok := remedies[c]; ok {
		return remedy
	}

	return classRemedies[c.Class()]
}

// classRemedies are the advice for codes without one of their own.
//
//nolint:gosec // advice about secrets, not secrets.
var classRemedies = map[Class]string{
	Unknown:        "look the code up under 全局返回码说明 in WeChat's documentation",
	OK:             "nothing to do",
	Busy:           "WeChat is busy (系统繁忙); wait a little and repeat",
	TokenRejected:  "get a new access_token and repeat once; if that fails too, the token belongs to another account",
	SecretRejected: "check AppID and AppSecret in the console under 设置与开发 → 基本配置",
	IPNotAllowed:   "add the server's public address to the IP白名单 in the console under 设置与开发 → 基本配置",
	RateLimited:    "too many calls within a minute; wait 60 s or more and call less often",
	QuotaExhausted: "the allowance is used up; see 设置与开发 → 接口权限 in the console, and wait until it is renewed",
	WindowClosed:   "the follower cannot be written to now; wait until they send a message to the account",
	Unauthorized:   "the account lacks this right; see 设置与开发 → 接口权限 in the console, 微信认证 may be required",
	InvalidRequest: "correct the request; repeating it unchanged will fail again",
}

// remedies are what an operator has asked about, or would.
var remedies = map[Code]string{
	InvalidCredential: "the access_token is not the latest: get a new one; at the token endpoint the AppSecret is wrong: " +
		"compare it in the console under 设置与开发 → 基本配置; if tokens die often, another server fetches them too",
	InvalidAppID:  "the AppID is wrong; copy 开发者ID(AppID) from the console under 设置与开发 → 基本配置",
	InvalidOpenID: "the OpenID is wrong or belongs to another account; a follower has a different OpenID in each",
	InvalidAppSecret: "the AppSecret is wrong; reset 开发者密码(AppSecret) in the console under 设置与开发 → 基本配置 " +
		"and store the new one",
	IPNotOnAllowList: "errmsg names the address; add it to the IP白名单 in the console under 设置与开发 → 基本配置",
	AppSecretFrozen:  "the AppSecret is frozen (已冻结); unfreeze it (解冻) in the console under 设置与开发 → 基本配置",
	TextTooLong:      "shorten the text; about 680 Chinese characters (2048 bytes) fit",
	DailyQuotaSpent: "the daily quota is used up; wait until tomorrow, or reset it (接口调用次数清零, 10 a month) in the console " +
		"under 设置与开发 → 接口权限",
	ReplyWindowClosed: "the follower has not written within 48 hours (回复时间超过限制) or has left; wait until they write again",
	ReplyAllowanceSpent: "the customer-service messages (客服消息) since the follower's last action are used up; " +
		"wait until they write again",
	APIUnauthorized: "the account has no right to this API; see 设置与开发 → 接口权限 in the console, " +
		"most need 微信认证 and some a 服务号",
	48004:           "the API is banned (封禁) for this account; the 通知中心 of the console says why and how to appeal",
	ClearQuotaSpent: "the ten quota resets of this month are used up; wait until next month",
	TokenForbidden:  "the account may not get an access_token (禁止使用token接口); ask WeChat's support (微信客服)",
	AccountFrozen:   "the account is frozen (账号已冻结); the 通知中心 of the console says why and how to appeal",
	IPAwaitsConfirmation: "the administrator (管理员) has been asked to confirm this address and has not answered yet; " +
		"confirm it in WeChat (公众平台安全助手)",
	IPNeedsConfirmation: "the administrator (管理员) must confirm this address; confirm the 公众平台安全助手 message in WeChat, " +
		"or turn off the risk check of the call in the console",
	IPRefusedForOneDay:   "the administrator (管理员) refused this address twice within 24 hours; it is blocked for 24 hours",
	IPRefusedForOneHour:  "the administrator (管理员) refused this address; it is blocked for one hour",
	61003:                "the account has not authorised this third-party platform (第三方平台), or withdrawn it; let its 管理员 authorise it",
	61005:                "the component_verify_ticket has expired; WeChat pushes one every 10 minutes to the 授权事件接收URL",
	61006:                "the component_verify_ticket is not the newest; WeChat pushes one every 10 minutes to the 授权事件接收URL",
	61009:                "the code is wrong or has been used; let the account's 管理员 authorise the platform again",
	61010:                "the authorization_code has expired; let the account's 管理员 authorise the platform again",
	61023:                "the authorizer_refresh_token is void; let the account's 管理员 authorise the platform again",
	ComponentTokenNeeded: "the account has handed this API to a third-party platform (第三方平台); use that platform's token",
	FollowerUnsubscribed: "the user does not follow the account (未关注); nothing can be sent",
	43019:                "the follower is on the blacklist (黑名单); remove them in the console under 用户管理",
	FollowerRefusesPushes: "the follower refuses the account's messages (拒收); " +
		"only they can change it, in the account's settings",
	42007: "the user has changed the WeChat password; let them authorise (网页授权) again; the account's token is not concerned",
	40029: "the OAuth code is wrong; let the user authorise (网页授权) again",
	40163: "the OAuth code has been used before; let the user authorise (网页授权) again",
	40033: "write real characters instead of \\uXXXX escapes into the JSON body",

	40007:  "the media_id is none of this account's material; temporary one (临时素材) ends after three days, and menus need permanent one (永久素材)",
	40016:  "a menu has one to three buttons, and one to five below a button",
	40018:  "the name of a button is empty or too long; WeChat's document allows 16 bytes, about five Chinese characters",
	40019:  "the key of a button is empty or longer than 128 bytes",
	40020:  "the address of a button is empty or longer than 1024 bytes",
	40023:  "below a button are one to five others",
	40025:  "the name of a button of the second level is empty or too long; WeChat's document allows 60 bytes",
	40026:  "the key of a button of the second level is empty or longer than 128 bytes",
	40027:  "the address of a button of the second level is empty or longer than 1024 bytes",
	40054:  "the address of a button of the second level is not one that WeChat opens; write a whole https:// address",
	40055:  "the address of a button is not one that WeChat opens; write a whole https:// address",
	40165:  "the pagepath is not one of the mini program (小程序) that is published",
	40166:  "the AppID is not of a mini program (小程序) that is linked to the account; see 小程序管理 in the console",
	NoMenu: "the account has no menu that was made by interface; create one, or see 自定义菜单 in the console",
	65301:  "the conditional menu (个性化菜单) has been deleted already; compare again",
	65303:  "conditional menus (个性化菜单) need a default one; create that first",
	65304:  "the match of the conditional menu (个性化菜单) is empty; give it tag_id or client_platform_type",
	65305:  "the account has as many conditional menus (个性化菜单) as it may; delete one first",
	65306:  "the account may not have conditional menus (个性化菜单); they need 微信认证",
	65309:  "conditional menus (个性化菜单) are switched off for the account; see 自定义菜单 in the console",
	65316:  "the conditional menus (个性化菜单) of an account may lead to addresses under three domains at most",
	65317:  "the address of a button is none; write a whole https:// address",
	65320:  "WeChat no longer matches by sex, country, province, city or language; use a tag (标签)",
}
