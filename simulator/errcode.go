package simulator

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// errcode is a number of WeChat's table of global return codes (全局返回码).
type errcode int

// The codes that the simulator gives of its own accord. Faults can give any other.
const (
	codeOK             errcode = 0
	codeBusy           errcode = -1
	codeInvalidToken   errcode = 40001 // Not, or no longer, the latest token.
	codeGrantType      errcode = 40002
	codeOpenID         errcode = 40003
	codeMediaType      errcode = 40004
	codeFileType       errcode = 40005
	codeFileSize       errcode = 40006
	codeMediaID        errcode = 40007
	codeMessageType    errcode = 40008
	codePictureSize    errcode = 40009
	codeAppID          errcode = 40013
	codeMalformedToken errcode = 40014
	codeButtons        errcode = 40016
	codeOpenIDs        errcode = 40032
	codeCharset        errcode = 40033
	codeTemplateID     errcode = 40037
	codeActionName     errcode = 40052
	codeActionInfo     errcode = 40053
	codeURL            errcode = 40066
	codeCardID         errcode = 40073
	codeArguments      errcode = 40097
	codeAppSecret      errcode = 40125
	codeUserName       errcode = 40132
	codePagePath       errcode = 40165
	codeNoCallbackURL  errcode = 40201
	codeCheckAction    errcode = 40202
	codeCheckOperator  errcode = 40203
	codeTokenMissing   errcode = 41001
	codeAppIDMissing   errcode = 41002
	codeSecretMissing  errcode = 41004
	codeMediaMissing   errcode = 41005
	codeTokenExpired   errcode = 42001
	codeNeedGET        errcode = 43001
	codeNeedPOST       errcode = 43002
	codeNotFollowing   errcode = 43004
	codeEmptyBody      errcode = 44002
	codeEmptyText      errcode = 44004
	codeTextTooLong    errcode = 45002
	codeArticles       errcode = 45008
	codeDailyQuota     errcode = 45009
	codeMinuteQuota    errcode = 45011
	codeWindowClosed   errcode = 45015
	codeCountSpent     errcode = 45047
	codeTooManyTags    errcode = 45056
	codeSystemTag      errcode = 45058
	codeTagsOfOne      errcode = 45059
	codePlaytime       errcode = 45007
	codeMassTwice      errcode = 45065
	codeMassTooFast    errcode = 45066
	codeMassLongID     errcode = 45067
	codeTypingCommand  errcode = 45072
	codeTypingWindow   errcode = 45080
	codeTypingTwice    errcode = 45081
	codeTagName        errcode = 45157
	codeTagNameSize    errcode = 45158
	codeTagID          errcode = 45159
	codeNoMenu         errcode = 46003
	codeJSON           errcode = 47001
	codeTemplateValue  errcode = 47003
	codeMediaInUse     errcode = 48005
	codeQuotaClears    errcode = 48006
	codeArticleID      errcode = 53600
	codeDate           errcode = 61500
	codeDateRange      errcode = 61501
	codeMenuID         errcode = 65301
	codeNoMenuUser     errcode = 65302
	codeNoDefaultMenu  errcode = 65303
	codeNoMatchRule    errcode = 65304
	codePrivateRule    errcode = 65320
	codeRID            errcode = 76001
	codeRIDForbidden   errcode = 76002
	codeQuotaPath      errcode = 76003

	codeOAuthCode           errcode = 40029
	codeOAuthRefresh        errcode = 40030
	codeOAuthUsed           errcode = 40163
	codeOAuthRefreshMissing errcode = 41003
	codeOAuthCodeMissing    errcode = 41008
	codeOpenIDMissing       errcode = 41009
	codeOAuthRefreshExpired errcode = 42002
	codeOAuthExpired        errcode = 42003
	codeOAuthRevoked        errcode = 42007
	codeUnauthorized        errcode = 48001

	codeMenuType      errcode = 40017
	codeMenuName      errcode = 40018
	codeMenuKey       errcode = 40019
	codeMenuURL       errcode = 40020
	codeSubSize       errcode = 40023
	codeSubType       errcode = 40024
	codeSubName       errcode = 40025
	codeSubKey        errcode = 40026
	codeSubURL        errcode = 40027
	codeMassUsers     errcode = 40130
	codeBlacklisted   errcode = 43019
	codeTitleSize     errcode = 45003
	codeMassQuota     errcode = 45028
	codeTemplateCount errcode = 45026
	codeLibraryFull   errcode = 45001
	codeSpeedMissing  errcode = 45084
	codeSpeed         errcode = 45083
	codeRefused       errcode = 48002
	codePublishID     errcode = 53502
	codeEmptyArticle  errcode = 44003
	codeSubLevel      errcode = 40022
	codeAgent         errcode = 65401
	codeAgentName     errcode = 65404
	codeAgentCount    errcode = 65405
	codeAgentTwice    errcode = 65406
	codeLongData      errcode = 9410010
	codeShortLife     errcode = 9410011

	codeIPNotAllowed   errcode = 40164
	codeSecretFrozen   errcode = 40243
	codeBanned         errcode = 48004
	codeUserRestricted errcode = 50001
	codeRestricted     errcode = 50002
	codeTokenForbidden errcode = 50004
	codeAccountFrozen  errcode = 50007
	codeIPWaits        errcode = 89501
	codeIPUnconfirmed  errcode = 89503
	codeIPRefusedTwice errcode = 89506
	codeIPRefused      errcode = 89507

	codeNotAuthorized   errcode = 61003
	codeIPUnregistered  errcode = 61004
	codeTicketExpired   errcode = 61005
	codeTicketInvalid   errcode = 61006
	codeNotGranted      errcode = 61007
	codeAuthCode        errcode = 61009
	codeAuthCodeExpired errcode = 61010
	codeComponent       errcode = 61011
	codeRefreshToken    errcode = 61023
	codeComponentOnly   errcode = 61024
)

// text returns WeChat's errmsg of a code, without the rid.
func (c errcode) text() string {
	if text, ok := errorTexts[c]; ok {
		return text
	}

	return "error " + strconv.Itoa(int(c))
}

// errorTexts are the words of the real platform, so far as they are known.
var errorTexts = map[errcode]string{ //nolint:gosec // codes, not credentials.
	codeOK:             "ok",
	codeBusy:           "system error",
	codeInvalidToken:   "invalid credential, access_token is invalid or not latest",
	codeGrantType:      "invalid grant_type",
	codeOpenID:         "invalid openid",
	codeMediaType:      "invalid media type",
	codeFileType:       "invalid file type",
	codeFileSize:       "invalid meida size", // The misspelling is WeChat's.
	codeMediaID:        "invalid media_id",
	codeMessageType:    "invalid message type",
	codePictureSize:    "invalid image size",
	codeAppID:          "invalid appid",
	codeMalformedToken: "invalid access_token",
	codeButtons:        "invalid button size",
	codeOpenIDs:        "invalid openid list size",
	codeCharset:        "invalid charset. please check your request, if include \\uxxxx will create fail!",
	codeTemplateID:     "invalid template_id",
	codeActionName:     "invalid action name",
	codeActionInfo:     "invalid action info",
	codeURL:            "invalid url",
	codeCardID:         "invalid card id",
	codeArguments:      "invalid args",
	codeAppSecret:      "invalid appsecret",
	codeUserName:       "invalid username",
	codePagePath:       "invalid weapp pagepath",
	codeNoCallbackURL:  "callback url not set",
	codeCheckAction:    "invalid action",
	codeCheckOperator:  "invalid check_operator",
	codeTokenMissing:   "access_token missing",
	codeAppIDMissing:   "appid missing",
	codeSecretMissing:  "appsecret missing",
	codeMediaMissing:   "media data missing",
	codeTokenExpired:   "access_token expired",
	codeNeedGET:        "require GET method",
	codeNeedPOST:       "require POST method",
	codeNotFollowing:   "require subscribe",
	codeEmptyBody:      "empty post data",
	codeEmptyText:      "text content is empty",
	codeTextTooLong:    "content size out of limit",
	codeArticles:       "article size out of limit",
	codeDailyQuota:     "reach max api daily quota limit",
	codeMinuteQuota:    "api minute-quota reach limit, must slower, retry next minute",
	codeWindowClosed:   "response out of time limit or subscription is canceled",
	codeCountSpent:     "out of response count limit",
	codeTooManyTags:    "too many tag now, no need to add new",
	codeSystemTag:      "can't modify sys tag",
	codeTagsOfOne:      "can not add this tag to user",
	codePlaytime:       "playtime out of limit",
	codeMassTwice:      "clientmsgid exist",
	codeMassTooFast:    "same clientmsgid retry too fast",
	codeMassLongID:     "clientmsgid size out of limit",
	codeTypingCommand:  "invalid command",
	codeTypingWindow:   "no customer service interaction in 30s",
	codeTypingTwice:    "already in typing status",
	codeTagName:        "invalid tag name",
	codeTagNameSize:    "invalid tag name size",
	codeTagID:          "invalid tag id",
	codeNoMenu:         "menu no exist",
	codeJSON:           "data format error",
	codeTemplateValue:  "argument invalid!",
	codeMediaInUse:     "api forbidden to delete material used by auto-reply or menu",
	codeArticleID:      "article id invalid",
	codeDate:           "date format error",
	codeDateRange:      "date range error",
	codeMenuID:         "menuid no exist",
	codeNoMenuUser:     "no this user",
	codeNoDefaultMenu:  "there is no selfmenu, please create selfmenu first",
	codeNoMatchRule:    "match rule empty",
	codePrivateRule:    "match rule contains private information",
	codeRID:            "rid not found",
	codeRIDForbidden:   "rid belongs to another account",
	codeQuotaPath:      "cgi_path not found, please check",
	codeQuotaClears:    "forbid to clear quota because of reaching the limit",

	codeOAuthCode:           "invalid code",
	codeOAuthRefresh:        "invalid refresh_token",
	codeOAuthUsed:           "code been used",
	codeOAuthRefreshMissing: "refresh_token missing",
	codeOAuthCodeMissing:    "missing code",
	codeOpenIDMissing:       "missing openid",
	codeOAuthRefreshExpired: "refresh_token expired",
	codeOAuthExpired:        "code expired",
	codeOAuthRevoked:        "user password changed, please authorize again",
	codeUnauthorized:        "api unauthorized",

	codeMenuType:      "invalid button type",
	codeMenuName:      "invalid button name size",
	codeMenuKey:       "invalid button key size",
	codeMenuURL:       "invalid button url size",
	codeSubSize:       "invalid sub button size",
	codeSubType:       "invalid sub button type",
	codeSubName:       "invalid sub button name size",
	codeSubKey:        "invalid sub button key size",
	codeSubURL:        "invalid sub button url size",
	codeMassUsers:     "invalid openid list size, at least two openid",
	codeBlacklisted:   "require remove blacklist",
	codeTitleSize:     "title size out of limit",
	codeMassQuota:     "has no masssend quota",
	codeLibraryFull:   "media size out of limit",
	codeTemplateCount: "template size out of limit",
	codeSpeedMissing:  "no speed parameter",
	codeSpeed:         "set speed parameter must between 0 and 4",
	codeRefused:       "user refuse to accept the msg",
	codePublishID:     "publish_id is invalid",
	codeEmptyArticle:  "empty news data",
	codeSubLevel:      "invalid sub menu level",
	codeAgent:         "invalid kf_account",
	codeAgentName:     "invalid kf_account format",
	codeAgentCount:    "kf_account count is too large",
	codeAgentTwice:    "kf_account exists",
	codeLongData:      "long_data is too long",
	codeShortLife:     "expire_seconds is too long",

	codeIPNotAllowed:   "invalid ip, not in whitelist",
	codeSecretFrozen:   "appsecret is frozen",
	codeBanned:         "api forbidden for irregularities",
	codeUserRestricted: "user unauthorized",
	codeRestricted:     "user limited",
	codeTokenForbidden: "forbidden to use the token interface",
	codeAccountFrozen:  "account is frozen",
	codeIPWaits:        "the ip waits for the administrator to confirm it",
	codeIPUnconfirmed:  "the ip must be confirmed by the administrator",
	codeIPRefusedTwice: "the ip was refused twice within 24 hours",
	codeIPRefused:      "the ip was refused within an hour",

	codeComponentOnly:   "should use component access_token",
	codeNotAuthorized:   "component is not authorized by this account",
	codeIPUnregistered:  "access clientip is not registered",
	codeTicketExpired:   "component ticket is expired",
	codeTicketInvalid:   "component ticket is invalid",
	codeNotGranted:      "api is unauthorized to component",
	codeAuthCode:        "code is invalid",
	codeAuthCodeExpired: "code is expired",
	codeComponent:       "invalid component",
	codeRefreshToken:    "refresh_token is invalid",
}

// errorBody is what the platform answers when it refuses. The rid lets Tencent
// find the request in its logs; it ends every errmsg of an error.
type errorBody struct {
	ErrCode errcode `json:"errcode"`
	ErrMsg  string  `json:"errmsg"`
}

func newErrorBody(code errcode, message string) errorBody {
	if message == "" {
		message = code.text()
	}
	if code != codeOK {
		message += ridMark + newRID()
	}

	return errorBody{ErrCode: code, ErrMsg: message}
}

// ridMark is what stands before the rid.
const ridMark = " rid: "

func newRID() string {
	return fmt.Sprintf("%08x-%08x-%08x", uint32(time.Now().Unix()), rand.Uint32(), rand.Uint32()) //nolint:gosec // No secret, and it may wrap.
}
