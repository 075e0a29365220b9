// Package kind is the table of the credentials that token-center keeps: one Spec for each interface of
// WeChat's that issues one. A further kind is a further entry here and an issuer; everything else reads
// the entry.
package kind

import (
	"time"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
)

// Spec is what the house must know of an interface of WeChat's to keep alive what it issues.
type Spec struct {
	// Kind is the credential that the interface issues. Several interfaces may issue the same kind; an
	// account uses one of them.
	Kind credential.Kind
	// Source names the interface in logs and in ListAccounts, such as stable.
	Source string
	// Parent is the kind of the credential that a request carries. Empty: it carries a secret.
	Parent credential.Kind
	// Window is when the renewal begins.
	Window credential.Window
	// Overlap is how long the previous value goes on working once another was issued. Zero: issuing one
	// does not end the other, so that a lost answer costs nothing.
	Overlap time.Duration
	// Forceable interfaces repeat a value that is alive unless they are forced to make another.
	Forceable bool
	// Idle is how long a credential is kept fresh after it was last asked for. Zero: always, asked for or not.
	Idle time.Duration
	// Limits are the allowances of one credential.
	Limits Limits
}

// Owned reports whether only the holder of the account's secret can void the credential. Where such a
// one dies before its time, somebody else holds the secret.
func (s Spec) Owned() bool { return s.Parent == "" }

// Limits are the allowances of one credential. They are far above what a healthy house needs (about 13
// fetches a day) and below what WeChat allows.
type Limits struct {
	// Fetch counts every request for a value.
	Fetch spend.Limit
	// Passive counts those that a reported value caused. It is smaller, so that no storm of reports can
	// keep the active renewal from its fetches.
	Passive spend.Limit
	// Forced counts forced ones; empty where nothing can be forced.
	Forced spend.Limit
}

// Stable is POST /cgi-bin/stable_token: a repeated call returns the same token while it is valid.
//
// It is renewed within the last 300 s, because before that the normal mode only repeats the present
// token. WeChat allows 10,000 calls a minute and 500,000 a day; forced ones 20 a day, at least 30 s
// apart. Source: 获取稳定版接口调用凭据.
func Stable() Spec {
	return Spec{
		Kind: credential.AccessToken, Source: "stable", Window: lastMinutes(), Forceable: true,
		Limits: Limits{
			Fetch: fetches(20_000), Passive: reports(5_000),
			Forced: spend.Limit{Name: "forced", Burst: 1, Span: 31 * time.Second, PerDay: 20},
		},
	}
}

// Classic is GET /cgi-bin/token: every call issues a new token, and the previous one dies after
// credential.Overlap.
//
// It is renewed 300 to 600 s ahead, so that the old token, which dies 300 s after the renewal, never
// ends before its time. WeChat allows 2,000 calls a day. Source: 获取接口调用凭据.
func Classic() Spec {
	return Spec{
		Kind: credential.AccessToken, Source: "classic", Window: beforeOverlap(), Overlap: credential.Overlap,
		Limits: Limits{Fetch: fetches(1_500), Passive: reports(1_000)},
	}
}

// Work is GET /cgi-bin/gettoken of WeChat Work (企业微信), one token for each application's Secret.
//
// A repeated call returns the same token while it is valid, and nothing forces another. Its quota is not
// published. Source: 企业微信开发者中心, 获取access_token.
func Work() Spec {
	return Spec{
		Kind: credential.WorkAccessToken, Source: "work", Window: lastMinutes(),
		Limits: Limits{Fetch: fetches(1_500), Passive: reports(500)},
	}
}

// WorkJSAPITicket is GET /cgi-bin/get_jsapi_ticket of WeChat Work, with the rules of JSAPITicket. Its
// quota is 400 an hour for a company and 100 for an application. Source: 企业微信开发者中心, 获取企业的jsapi_ticket.
func WorkJSAPITicket() Spec {
	spec := ticket(credential.JSAPITicket, "work_jsapi")
	spec.Parent = credential.WorkAccessToken
	return spec
}

// Component is POST /cgi-bin/component/api_component_token, with the newest component_verify_ticket.
//
// Whether a further call ends the previous token is not documented, and neither is the quota: the classic
// interface's rules are the safe assumption. Source: 第三方平台, 获取令牌.
func Component() Spec {
	return Spec{
		Kind: credential.ComponentAccessToken, Source: "component", Parent: credential.VerifyTicket,
		Window: beforeOverlap(), Overlap: credential.Overlap,
		Limits: Limits{Fetch: fetches(1_500), Passive: reports(1_000)},
	}
}

// Authorizer is POST /cgi-bin/component/api_authorizer_token: the access token of an account, got by the
// third-party platform that it has authorised. The rules are assumed as for Component. Source: 第三方平台,
// 获取/刷新接口调用令牌.
func Authorizer() Spec {
	return Spec{
		Kind: credential.AccessToken, Source: "authorizer", Parent: credential.ComponentAccessToken,
		Window: beforeOverlap(), Overlap: credential.Overlap,
		Limits: Limits{Fetch: fetches(1_500), Passive: reports(1_000)},
	}
}

// PreAuthCodes is the allowance of a platform's pre_auth_codes, each of which is for one authorisation.
// WeChat's own is not published.
func PreAuthCodes() spend.Limit { return fetches(2_000) }

// ticketIdle is the life of a ticket: one that nobody asked for in a whole life is let go.
const ticketIdle = 2 * time.Hour

// JSAPITicket is GET /cgi-bin/ticket/getticket?type=jsapi.
//
// It is fetched for accounts that ask only, because the quota is small (获得jsapi_ticket: "api 调用次数
// 非常有限") and most accounts have no web page. The page does not give the number: the allowances are a
// few times what a busy account needs. A ticket does not end with the access token that it was got with.
func JSAPITicket() Spec { return ticket(credential.JSAPITicket, "jsapi") }

// CardTicket is GET /cgi-bin/ticket/getticket?type=wx_card, with the rules of JSAPITicket.
func CardTicket() Spec { return ticket(credential.CardTicket, "wx_card") }

func ticket(of credential.Kind, source string) Spec {
	return Spec{
		Kind: of, Source: source, Parent: credential.AccessToken, Window: lastMinutes(), Idle: ticketIdle,
		Limits: Limits{
			Fetch:   spend.Limit{Name: "fetch", Burst: 10, Span: time.Minute, PerDay: 200},
			Passive: spend.Limit{Name: "passive", Burst: 2, Span: time.Minute, PerDay: 50},
		},
	}
}

// lastMinutes is the window of interfaces that repeat a value until shortly before its end.
func lastMinutes() credential.Window {
	return credential.Window{Least: 180 * time.Second, Most: 280 * time.Second}
}

// beforeOverlap is the window of interfaces whose every call ends the previous value.
func beforeOverlap() credential.Window {
	return credential.Window{Least: credential.Overlap, Most: 2 * credential.Overlap}
}

func fetches(perDay int) spend.Limit {
	return spend.Limit{Name: "fetch", Burst: 60, Span: time.Minute, PerDay: perDay}
}

func reports(perDay int) spend.Limit {
	return spend.Limit{Name: "passive", Burst: 4, Span: 30 * time.Second, PerDay: perDay}
}
