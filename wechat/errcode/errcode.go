// Package errcode knows WeChat's return codes (全局返回码): what kind of failure
// one is, and what a person can do about it.
//
// WeChat answers errors with HTTP 200 and a JSON body {"errcode":…,"errmsg":…};
// an answer without errcode is a success.
//
// Source: 微信公众平台 “全局返回码说明” and the error tables of the single
// interfaces.
package errcode

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Code is an errcode of an API answer; 0 is success. It has nothing to do with
// the negative codes of the official encryption library, package msgcrypt.
type Code int

// The codes that the program itself decides by.
const (
	Success               Code = 0
	SystemBusy            Code = -1
	InvalidCredential     Code = 40001 // access_token invalid or not the latest; AppSecret wrong at the token endpoint
	InvalidOpenID         Code = 40003
	InvalidAppID          Code = 40013
	InvalidAccessToken    Code = 40014
	InvalidAppSecret      Code = 40125
	IPNotOnAllowList      Code = 40164
	AppSecretFrozen       Code = 40243
	AccessTokenExpired    Code = 42001
	TextTooLong           Code = 45002
	DailyQuotaSpent       Code = 45009
	TooFrequent           Code = 45011
	ReplyWindowClosed     Code = 45015
	ReplyAllowanceSpent   Code = 45047
	APIUnauthorized       Code = 48001
	ClearQuotaSpent       Code = 48006
	TokenForbidden        Code = 50004
	AccountFrozen         Code = 50007
	IPAwaitsConfirmation  Code = 89501
	IPNeedsConfirmation   Code = 89503
	IPRefusedForOneDay    Code = 89506
	IPRefusedForOneHour   Code = 89507
	NoMenu                Code = 46003
	ComponentTokenNeeded  Code = 61024
	DataServiceBusy       Code = 61450
	RemoteServiceFailure  Code = 9001002
	FollowerUnsubscribed  Code = 43004
	FollowerRefusesPushes Code = 48002
)

// Class says what a program can do about a code.
type Class int

const (
	// Unknown is a code this package has no entry for. Treat it as final.
	Unknown Class = iota
	// OK is success.
	OK
	// Busy may pass: repeat with backoff where repeating is safe.
	Busy
	// TokenRejected means that the access token is stale: get another, repeat once.
	TokenRejected
	// SecretRejected means that AppID or AppSecret is not accepted. No refresh cures
	// it, and every attempt costs quota.
	SecretRejected
	// IPNotAllowed means that the caller's address is not on the IP whitelist (IP白名单).
	IPNotAllowed
	// RateLimited means too many calls within a minute: wait and repeat.
	RateLimited
	// QuotaExhausted means that an allowance is used up until it is renewed.
	QuotaExhausted
	// WindowClosed means that this follower cannot be written to now.
	WindowClosed
	// Unauthorized means that the account lacks the right (接口权限) or is blocked.
	Unauthorized
	// InvalidRequest means that the request itself is wrong and will stay so.
	InvalidRequest
)

// classNames are the classes as they stand in metrics and logs.
var classNames = [...]string{
	Unknown:        "unknown",
	OK:             "ok",
	Busy:           "busy",
	TokenRejected:  "token_rejected",
	SecretRejected: "secret_rejected",
	IPNotAllowed:   "ip_not_allowed",
	RateLimited:    "rate_limited",
	QuotaExhausted: "quota_exhausted",
	WindowClosed:   "window_closed",
	Unauthorized:   "unauthorized",
	InvalidRequest: "invalid_request",
}

// String returns the class in snake case, as it stands in metrics and logs.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return "class(" + strconv.Itoa(int(c)) + ")"
	}

	return classNames[c]
}

// Class returns the class of a code that an ordinary API call answered. For the
// token endpoints use FromTokenEndpoint.
//
// Codes of /sns/* concern a user's own token; there TokenRejected does not mean
// the account's.
func (c Code) Class() Class {
	if class, ok := classes[c]; ok {
		return class
	}
	for _, span := range spans {
		if span.first <= c && c <= span.last {
			return span.class
		}
	}

	return Unknown
}

// FromTokenEndpoint returns the class of a code that /cgi-bin/token or
// /cgi-bin/stable_token answered. It differs from Code.Class for those that
// mean a stale token elsewhere: no token was sent here, so 40001 says that the
// AppSecret is wrong, and refreshing on it would loop.
func FromTokenEndpoint(c Code) Class {
	if class := c.Class(); class != TokenRejected {
		return class
	}

	return SecretRejected
}

// classes lists the single codes.
var classes = map[Code]Class{
	Success: OK,

	SystemBusy:           Busy,
	DataServiceBusy:      Busy,
	RemoteServiceFailure: Busy,

	InvalidCredential:  TokenRejected,
	InvalidAccessToken: TokenRejected,
	AccessTokenExpired: TokenRejected,

	InvalidAppID:     SecretRejected,
	InvalidAppSecret: SecretRejected,
	AppSecretFrozen:  SecretRejected,

	IPNotOnAllowList:     IPNotAllowed,
	61004:                IPNotAllowed, // address not registered with the third-party platform
	IPAwaitsConfirmation: IPNotAllowed,
	IPNeedsConfirmation:  IPNotAllowed,
	IPRefusedForOneDay:   IPNotAllowed,
	IPRefusedForOneHour:  IPNotAllowed,

	TooFrequent: RateLimited,
	45066:       RateLimited, // mass send repeated within a minute
	53501:       RateLimited, // publishing too frequently

	DailyQuotaSpent:     QuotaExhausted,
	45018:               QuotaExhausted,
	45028:               QuotaExhausted, // no mass send left
	ReplyAllowanceSpent: QuotaExhausted,
	40251:               QuotaExhausted,
	ClearQuotaSpent:     QuotaExhausted,

	ReplyWindowClosed:     WindowClosed,
	45080:                 WindowClosed, // typing indicator without recent interaction
	FollowerUnsubscribed:  WindowClosed,
	43005:                 WindowClosed, // no friend relation
	43019:                 WindowClosed, // follower is on the blacklist
	FollowerRefusesPushes: WindowClosed,
	50005:                 WindowClosed, // follower has not subscribed

	APIUnauthorized:      Unauthorized,
	48003:                Unauthorized,
	48004:                Unauthorized, // API banned
	48008:                Unauthorized,
	50001:                Unauthorized,
	50002:                Unauthorized,
	TokenForbidden:       Unauthorized,
	AccountFrozen:        Unauthorized,
	53500:                Unauthorized, // publishing banned
	61003:                Unauthorized,
	61007:                Unauthorized,
	61023:                Unauthorized, // authorizer_refresh_token invalid
	ComponentTokenNeeded: Unauthorized,
	89504:                Unauthorized, // waiting for an administrator's approval
	89505:                Unauthorized,

	61005: InvalidRequest, // component_verify_ticket expired
	61006: InvalidRequest, // component_verify_ticket invalid
	61009: InvalidRequest, // pre_auth_code or authorization_code invalid
	61010: InvalidRequest, // authorization_code expired
	48005: InvalidRequest, // material in use by a menu or automatic reply
	53502: InvalidRequest, // wrong publish_id
	53600: InvalidRequest, // wrong article_id
}

// spans lists families of codes that mean a mistake in the request, for those
// that classes doesn't single out.
var spans = []struct {
	first, last Code
	class       Class
}{
	{40002, 40299, InvalidRequest},     // a parameter has a value WeChat doesn't accept
	{41000, 41999, InvalidRequest},     // a parameter is missing
	{42002, 42007, InvalidRequest},     // an OAuth code or user token has expired
	{43000, 43003, InvalidRequest},     // wrong method or scheme
	{43100, 43199, InvalidRequest},     // template refused
	{44000, 44999, InvalidRequest},     // a body or medium is empty
	{45000, 45099, InvalidRequest},     // a length or number exceeds its limit
	{45100, 45199, InvalidRequest},     // a tag's name or number
	{46000, 46999, InvalidRequest},     // a thing doesn't exist
	{47000, 47999, InvalidRequest},     // the body cannot be read
	{61500, 61599, InvalidRequest},     // a date range
	{65300, 65399, InvalidRequest},     // conditional menus
	{76000, 76099, InvalidRequest},     // quota queries
	{9410010, 9410011, InvalidRequest}, // short keys
}

// Parse reads errcode and errmsg from the top level of an API answer. The body may
// be the beginning of a longer answer, cut anywhere. An absent errcode is 0, as
// WeChat means it, and so is everything that is not a JSON object, such as a
// downloaded picture, and an errcode that is not a whole number.
//
// The errmsg comes from outside and often ends with " rid: …", by which
// /cgi-bin/openapi/rid/get finds the request again.
func Parse(body []byte) (Code, string) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // through a float64 a large number would change
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return Success, ""
	}

	var (
		code    Code
		message string
	)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			break
		}
		value, err := decoder.Token()
		if err != nil {
			break
		}
		switch name {
		case "errcode":
			code = toCode(value)
		case "errmsg":
			message, _ = value.(string)
		}
		if err := skip(decoder, value); err != nil {
			break
		}
	}

	return code, message
}

// toCode reads a number, or a number in quotes, which some interfaces send.
func toCode(value json.Token) Code {
	var digits string
	switch value := value.(type) {
	case json.Number:
		digits = value.String()
	case string:
		digits = value
	}
	number, err := strconv.Atoi(digits)
	if err != nil {
		return Success
	}

	return Code(number)
}

// skip reads on to the end of the object or array that first opens, if it opens
// one: an errcode inside belongs to a part of the answer, not to the answer.
func skip(decoder *json.Decoder, first json.Token) error {
	depth := opens(first)
	for depth > 0 {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		depth += opens(token)
	}

	return nil
}

// opens is 1 for an opening bracket, -1 for a closing one, and 0 otherwise.
func opens(token json.Token) int {
	switch token {
	case json.Delim('{'), json.Delim('['):
		return 1
	case json.Delim('}'), json.Delim(']'):
		return -1
	default:
		return 0
	}
}
