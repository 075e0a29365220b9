// Package errcode has the return codes that the platform answers with.
package errcode

import "strconv"

// Code is a number of WeChat's table of global return codes (全局返回码).
type Code int

// The codes that the simulator gives of its own accord. Faults can give any other.
const (
	OK             Code = 0
	Busy           Code = -1
	InvalidToken   Code = 40001 // Not, or no longer, the latest token.
	GrantType      Code = 40002
	OpenID         Code = 40003
	MediaType      Code = 40004
	FileType       Code = 40005
	FileSize       Code = 40006
	MediaID        Code = 40007
	MessageType    Code = 40008
	PictureSize    Code = 40009
	AppID          Code = 40013
	MalformedToken Code = 40014
	Buttons        Code = 40016
	OpenIDs        Code = 40032
	Charset        Code = 40033
	TemplateID     Code = 40037
	ActionName     Code = 40052
	ActionInfo     Code = 40053
	URL            Code = 40066
	CardID         Code = 40073
	Arguments      Code = 40097
	AppSecret      Code = 40125
	UserName       Code = 40132
	PagePath       Code = 40165
	NoCallbackURL  Code = 40201
	CheckAction    Code = 40202
	CheckOperator  Code = 40203
	TokenMissing   Code = 41001
	AppIDMissing   Code = 41002
	SecretMissing  Code = 41004
	MediaMissing   Code = 41005
	TokenExpired   Code = 42001
	NeedGET        Code = 43001
	NeedPOST       Code = 43002
	NotFollowing   Code = 43004
	EmptyBody      Code = 44002
	EmptyText      Code = 44004
	TextTooLong    Code = 45002
	Articles       Code = 45008
	DailyQuota     Code = 45009
	MinuteQuota    Code = 45011
	WindowClosed   Code = 45015
	CountSpent     Code = 45047
	TooManyTags    Code = 45056
	SystemTag      Code = 45058
	TagsOfOne      Code = 45059
	Playtime       Code = 45007
	MassTwice      Code = 45065
	MassTooFast    Code = 45066
	MassLongID     Code = 45067
	TypingCommand  Code = 45072
	TypingWindow   Code = 45080
	TypingTwice    Code = 45081
	TagName        Code = 45157
	TagNameSize    Code = 45158
	TagID          Code = 45159
	NoMenu         Code = 46003
	JSON           Code = 47001
	TemplateValue  Code = 47003
	MediaInUse     Code = 48005
	QuotaClears    Code = 48006
	ArticleID      Code = 53600
	Date           Code = 61500
	DateRange      Code = 61501
	MenuID         Code = 65301
	NoMenuUser     Code = 65302
	NoDefaultMenu  Code = 65303
	NoMatchRule    Code = 65304
	PrivateRule    Code = 65320
	RID            Code = 76001
	RIDForbidden   Code = 76002
	QuotaPath      Code = 76003

	OAuthCode           Code = 40029
	OAuthRefresh        Code = 40030
	OAuthUsed           Code = 40163
	OAuthRefreshMissing Code = 41003
	OAuthCodeMissing    Code = 41008
	OpenIDMissing       Code = 41009
	OAuthRefreshExpired Code = 42002
	OAuthExpired        Code = 42003
	OAuthRevoked        Code = 42007
	Unauthorized        Code = 48001

	MenuType      Code = 40017
	MenuName      Code = 40018
	MenuKey       Code = 40019
	MenuURL       Code = 40020
	SubSize       Code = 40023
	SubType       Code = 40024
	SubName       Code = 40025
	SubKey        Code = 40026
	SubURL        Code = 40027
	MassUsers     Code = 40130
	Blacklisted   Code = 43019
	TitleSize     Code = 45003
	MassQuota     Code = 45028
	TemplateCount Code = 45026
	LibraryFull   Code = 45001
	SpeedMissing  Code = 45084
	Speed         Code = 45083
	Refused       Code = 48002
	PublishID     Code = 53502
	EmptyArticle  Code = 44003
	SubLevel      Code = 40022
	Agent         Code = 65401
	AgentName     Code = 65404
	AgentCount    Code = 65405
	AgentTwice    Code = 65406
	LongData      Code = 9410010
	ShortLife     Code = 9410011

	IPNotAllowed   Code = 40164
	SecretFrozen   Code = 40243
	Banned         Code = 48004
	UserRestricted Code = 50001
	Restricted     Code = 50002
	TokenForbidden Code = 50004
	AccountFrozen  Code = 50007
	IPWaits        Code = 89501
	IPUnconfirmed  Code = 89503
	IPRefusedTwice Code = 89506
	IPRefused      Code = 89507

	NotAuthorized   Code = 61003
	IPUnregistered  Code = 61004
	TicketExpired   Code = 61005
	TicketInvalid   Code = 61006
	NotGranted      Code = 61007
	AuthCode        Code = 61009
	AuthCodeExpired Code = 61010
	Component       Code = 61011
	RefreshToken    Code = 61023
	ComponentOnly   Code = 61024
)

// Text returns WeChat's errmsg of a code, without the rid.
func (c Code) Text() string {
	if text, ok := texts[c]; ok {
		return text
	}

	return "error " + strconv.Itoa(int(c))
}

// texts are the words of the real platform, so far as they are known.
var texts = map[Code]string{ //nolint:gosec // codes, not credentials.
	OK:             "ok",
	Busy:           "system error",
	InvalidToken:   "invalid credential, access_token is invalid or not latest",
	GrantType:      "invalid grant_type",
	OpenID:         "invalid openid",
	MediaType:      "invalid media type",
	FileType:       "invalid file type",
	FileSize:       "invalid meida size", // The misspelling is WeChat's.
	MediaID:        "invalid media_id",
	MessageType:    "invalid message type",
	PictureSize:    "invalid image size",
	AppID:          "invalid appid",
	MalformedToken: "invalid access_token",
	Buttons:        "invalid button size",
	OpenIDs:        "invalid openid list size",
	Charset:        "invalid charset. please check your request, if include \\uxxxx will create fail!",
	TemplateID:     "invalid template_id",
	ActionName:     "invalid action name",
	ActionInfo:     "invalid action info",
	URL:            "invalid url",
	CardID:         "invalid card id",
	Arguments:      "invalid args",
	AppSecret:      "invalid appsecret",
	UserName:       "invalid username",
	PagePath:       "invalid weapp pagepath",
	NoCallbackURL:  "callback url not set",
	CheckAction:    "invalid action",
	CheckOperator:  "invalid check_operator",
	TokenMissing:   "access_token missing",
	AppIDMissing:   "appid missing",
	SecretMissing:  "appsecret missing",
	MediaMissing:   "media data missing",
	TokenExpired:   "access_token expired",
	NeedGET:        "require GET method",
	NeedPOST:       "require POST method",
	NotFollowing:   "require subscribe",
	EmptyBody:      "empty post data",
	EmptyText:      "text content is empty",
	TextTooLong:    "content size out of limit",
	Articles:       "article size out of limit",
	DailyQuota:     "reach max api daily quota limit",
	MinuteQuota:    "api minute-quota reach limit, must slower, retry next minute",
	WindowClosed:   "response out of time limit or subscription is canceled",
	CountSpent:     "out of response count limit",
	TooManyTags:    "too many tag now, no need to add new",
	SystemTag:      "can't modify sys tag",
	TagsOfOne:      "can not add this tag to user",
	Playtime:       "playtime out of limit",
	MassTwice:      "clientmsgid exist",
	MassTooFast:    "same clientmsgid retry too fast",
	MassLongID:     "clientmsgid size out of limit",
	TypingCommand:  "invalid command",
	TypingWindow:   "no customer service interaction in 30s",
	TypingTwice:    "already in typing status",
	TagName:        "invalid tag name",
	TagNameSize:    "invalid tag name size",
	TagID:          "invalid tag id",
	NoMenu:         "menu no exist",
	JSON:           "data format error",
	TemplateValue:  "argument invalid!",
	MediaInUse:     "api forbidden to delete material used by auto-reply or menu",
	ArticleID:      "article id invalid",
	Date:           "date format error",
	DateRange:      "date range error",
	MenuID:         "menuid no exist",
	NoMenuUser:     "no this user",
	NoDefaultMenu:  "there is no selfmenu, please create selfmenu first",
	NoMatchRule:    "match rule empty",
	PrivateRule:    "match rule contains private information",
	RID:            "rid not found",
	RIDForbidden:   "rid belongs to another account",
	QuotaPath:      "cgi_path not found, please check",
	QuotaClears:    "forbid to clear quota because of reaching the limit",

	OAuthCode:           "invalid code",
	OAuthRefresh:        "invalid refresh_token",
	OAuthUsed:           "code been used",
	OAuthRefreshMissing: "refresh_token missing",
	OAuthCodeMissing:    "missing code",
	OpenIDMissing:       "missing openid",
	OAuthRefreshExpired: "refresh_token expired",
	OAuthExpired:        "code expired",
	OAuthRevoked:        "user password changed, please authorize again",
	Unauthorized:        "api unauthorized",

	MenuType:      "invalid button type",
	MenuName:      "invalid button name size",
	MenuKey:       "invalid button key size",
	MenuURL:       "invalid button url size",
	SubSize:       "invalid sub button size",
	SubType:       "invalid sub button type",
	SubName:       "invalid sub button name size",
	SubKey:        "invalid sub button key size",
	SubURL:        "invalid sub button url size",
	MassUsers:     "invalid openid list size, at least two openid",
	Blacklisted:   "require remove blacklist",
	TitleSize:     "title size out of limit",
	MassQuota:     "has no masssend quota",
	LibraryFull:   "media size out of limit",
	TemplateCount: "template size out of limit",
	SpeedMissing:  "no speed parameter",
	Speed:         "set speed parameter must between 0 and 4",
	Refused:       "user refuse to accept the msg",
	PublishID:     "publish_id is invalid",
	EmptyArticle:  "empty news data",
	SubLevel:      "invalid sub menu level",
	Agent:         "invalid kf_account",
	AgentName:     "invalid kf_account format",
	AgentCount:    "kf_account count is too large",
	AgentTwice:    "kf_account exists",
	LongData:      "long_data is too long",
	ShortLife:     "expire_seconds is too long",

	IPNotAllowed:   "invalid ip, not in whitelist",
	SecretFrozen:   "appsecret is frozen",
	Banned:         "api forbidden for irregularities",
	UserRestricted: "user unauthorized",
	Restricted:     "user limited",
	TokenForbidden: "forbidden to use the token interface",
	AccountFrozen:  "account is frozen",
	IPWaits:        "the ip waits for the administrator to confirm it",
	IPUnconfirmed:  "the ip must be confirmed by the administrator",
	IPRefusedTwice: "the ip was refused twice within 24 hours",
	IPRefused:      "the ip was refused within an hour",

	ComponentOnly:   "should use component access_token",
	NotAuthorized:   "component is not authorized by this account",
	IPUnregistered:  "access clientip is not registered",
	TicketExpired:   "component ticket is expired",
	TicketInvalid:   "component ticket is invalid",
	NotGranted:      "api is unauthorized to component",
	AuthCode:        "code is invalid",
	AuthCodeExpired: "code is expired",
	Component:       "invalid component",
	RefreshToken:    "refresh_token is invalid",
}
