package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// house is what is known of what all accounts lean on.
type house struct {
	redis  error
	sealed bool // tokens are encrypted in Redis.
}

// facts are what is known of one account.
type facts struct {
	appID string
	// official is that of Account.
	official bool
	now      time.Time
	stored   error // of reading the stored token.
	token    credential.Credential
	// tokenErr is why there is no token.
	tokenErr error
	// problem is what the refresher knows to be wrong; empty while all is well.
	problem string
	budgets []budget
	// unasked is why WeChat was not asked anything; the rest is empty then.
	unasked  error
	quotas   []quota
	rights   []right
	callback callback
	clock    clock
}

// budget is one of our own allowances for today.
type budget struct {
	name         string
	spent, limit int
}

// quota is one of WeChat's for an API.
type quota struct {
	path          string
	answer        answer
	limit, remain int64
}

// right is a harmless read of an API, and so whether the account may use it.
type right struct {
	name   string
	answer answer
}

// callback is what WeChat's network check says of the callback address.
type callback struct {
	answer    answer
	addresses []netip.Addr
	// reached and lost count the addresses that answered its ping, and those that did not.
	reached, lost int
}

// clock is the time here beside WeChat's.
type clock struct {
	known bool
	ahead time.Duration // of WeChat's.
}

func judgeHouse(h house) []Finding {
	findings := []Finding{{Check: checkRedis, Severity: OK, Text: "answers"}}
	if h.redis != nil {
		findings[0] = Finding{
			Check: checkRedis, Severity: Fault, Text: "does not answer: " + h.redis.Error(),
			Remedy: "start it, or correct REDIS_URL, REDIS_PASSWORD_FILE and REDIS_CA_FILE; tokens in memory are served until they expire",
		}
	}
	if h.sealed {
		return append(findings, Finding{Check: checkStorageKey, Severity: OK, Text: "tokens are encrypted in Redis"})
	}
	return append(findings, Finding{
		Check: checkStorageKey, Severity: Warning, Text: "tokens lie in Redis in plain text",
		Remedy: "set TOKEN_CENTER_STORAGE_KEY_FILE to a file made with: openssl rand -base64 32",
	})
}

// judge makes findings of what is known of an account.
func judge(f facts) []Finding {
	var findings []Finding
	if f.official {
		findings = judgeAppID(f.appID)
	}
	findings = append(findings, judgeStored(f.stored)...)
	findings = append(findings, judgeToken(f)...)
	findings = append(findings, judgeBudgets(f.budgets)...)
	if f.unasked != nil {
		findings = append(findings, Finding{Check: checkWeChat, Severity: Warning, Text: "nothing more was asked: " + said(f.unasked)})
	}
	findings = append(findings, judgeQuotas(f.quotas)...)
	findings = append(findings, judgeRights(f.rights)...)
	if f.callback.answer.asked() {
		findings = append(findings, judgeCallback(f.callback))
	}
	if f.clock.known {
		findings = append(findings, judgeClock(f.clock.ahead))
	}
	for i := range findings {
		findings[i].AppID = f.appID
	}
	return findings
}

// appIDForm is what the console shows as 开发者ID(AppID).
var appIDForm = regexp.MustCompile(`^wx[0-9a-f]{16}$`)

func judgeAppID(appID string) []Finding {
	switch {
	case appID == account.DevelopmentAppID:
		return []Finding{{Check: checkAppID, Severity: OK, Text: "this is the development account, which only the simulator knows"}}
	case !appIDForm.MatchString(appID):
		return []Finding{{
			Check: checkAppID, Severity: Warning, Text: "does not look like an AppID, which is wx with 16 digits and letters from a to f",
			Remedy: errcode.InvalidAppID.Remedy(),
		}}
	}
	return []Finding{{Check: checkAppID, Severity: OK, Text: "has the form of an AppID"}}
}

func judgeStored(err error) []Finding {
	if !errors.Is(err, store.ErrUnreadable) {
		return nil
	}
	return []Finding{{
		Check: checkStorageKey, Severity: Fault, Text: "the token in Redis cannot be read with this storage key",
		Remedy: "give all replicas, and this program, the same TOKEN_CENTER_STORAGE_KEY_FILE",
	}}
}

func judgeToken(f facts) []Finding {
	if f.tokenErr == nil && !f.token.Exists() {
		return nil // it was not asked for.
	}
	if refused, ok := errors.AsType[*credential.RefusalError](f.tokenErr); ok {
		return []Finding{judgeRefusal(refused)}
	}
	if f.tokenErr != nil {
		return []Finding{{Check: checkToken, Severity: Fault, Text: "there is none: " + said(f.tokenErr), Remedy: waitOf(f.tokenErr)}}
	}
	var findings []Finding
	if f.official {
		findings = []Finding{
			{Check: checkAppSecret, Severity: OK, Text: "WeChat accepted it at " + f.token.ObtainedAt.UTC().Format(time.RFC3339)},
			{Check: checkAllowList, Severity: OK, Text: "the address that the token was obtained from is on it"},
		}
	}
	if f.problem != "" {
		return append(findings, Finding{Check: checkToken, Severity: Warning, Text: fmt.Sprintf("lives for another %s, but: %s", left(f), f.problem)})
	}
	return append(findings, Finding{Check: checkToken, Severity: OK, Text: fmt.Sprintf("generation %d lives for another %s", f.token.Generation, left(f))})
}

func left(f facts) time.Duration { return f.token.Left(f.now).Round(time.Second) }

// judgeRefusal is about WeChat's answer to the request for a token.
func judgeRefusal(refused *credential.RefusalError) Finding {
	finding := Finding{
		Check: checkAppSecret, Severity: Fault, Remedy: refused.Code.Remedy(),
		Text: fmt.Sprintf("WeChat refuses AppID and AppSecret (errcode %d)", refused.Code),
	}
	switch errcode.FromTokenEndpoint(refused.Code) {
	case errcode.IPNotAllowed:
		finding.Check = checkAllowList
		finding.Text = fmt.Sprintf("WeChat does not accept calls from %s (errcode %d)", addressIn(refused.Message), refused.Code)
	case errcode.Busy, errcode.RateLimited:
		finding.Check, finding.Severity = checkToken, Warning
		finding.Text = fmt.Sprintf("there is none, and WeChat is busy (errcode %d)", refused.Code)
	case errcode.QuotaExhausted:
		finding.Check = checkQuota
		finding.Text = fmt.Sprintf("WeChat gives no more tokens today (errcode %d)", refused.Code)
	case errcode.Unauthorized, errcode.InvalidRequest, errcode.Unknown, errcode.WindowClosed, errcode.TokenRejected:
		finding.Check = checkToken
		finding.Text = fmt.Sprintf("WeChat refuses this account a token (errcode %d)", refused.Code)
	case errcode.OK, errcode.SecretRejected:
	}
	return finding
}

// addressIn returns the address that WeChat saw the call come from.
func addressIn(message string) string {
	if address, ok := errcode.Address(message); ok {
		return address.String()
	}
	return "this server's public address"
}

// lastPart of an allowance is left when its end is near: a fifth.
const lastPart = 5

func judgeBudgets(budgets []budget) []Finding {
	if len(budgets) == 0 {
		return nil
	}
	finding := Finding{Check: checkBudget, Severity: OK}
	var used []string
	for _, b := range budgets {
		used = append(used, fmt.Sprintf("%s %d of %d", b.name, b.spent, b.limit))
		switch {
		case b.spent >= b.limit:
			finding.Severity = Fault
		case b.limit-b.spent <= b.limit/lastPart && finding.Severity == OK:
			finding.Severity = Warning
		}
	}
	finding.Text = "requests for tokens today: " + strings.Join(used, ", ")
	if finding.Severity != OK {
		finding.Remedy = "about 13 a day are normal: find out who reports or voids the tokens, see the log records with audit=true"
	}
	return []Finding{finding}
}

func judgeQuotas(quotas []quota) []Finding {
	var findings []Finding
	for _, q := range quotas {
		switch {
		case !q.answer.ok():
			// The quota of some paths cannot be asked for, and what is wrong with the token shows elsewhere.
		case q.limit <= 0:
		case q.remain <= 0:
			findings = append(findings, Finding{
				Check: checkQuota, Severity: Fault, Text: fmt.Sprintf("%s: none of %d calls is left today", q.path, q.limit),
				Remedy: errcode.DailyQuotaSpent.Remedy(),
			})
		case q.remain < q.limit/lastPart:
			findings = append(findings, Finding{
				Check: checkQuota, Severity: Warning, Text: fmt.Sprintf("%s: %d of %d calls are left today", q.path, q.remain, q.limit),
				Remedy: "find out who calls it so often; see 设置与开发 → 接口权限 in the console",
			})
		default:
			findings = append(findings, Finding{Check: checkQuota, Severity: OK, Text: fmt.Sprintf("%s: %d of %d calls are left today", q.path, q.remain, q.limit)})
		}
	}
	return findings
}

func judgeRights(rights []right) []Finding {
	var findings []Finding
	var granted []string
	for _, r := range rights {
		class := r.answer.code.Class()
		switch {
		case !r.answer.asked():
		case r.answer.err != nil:
			return append(findings, Finding{Check: checkWeChat, Severity: Warning, Text: "did not answer: " + r.answer.err.Error(), Remedy: "check WX_API_BASE_URL, DNS and the firewall"})
		case class == errcode.TokenRejected:
			return append(findings, Finding{
				Check: checkToken, Severity: Warning, Text: fmt.Sprintf("WeChat rejects the token in use (errcode %d)", r.answer.code),
				Remedy: "it is replaced at the next call through api-proxy; if that happens often, another system fetches tokens with this AppSecret",
			})
		case class == errcode.Unauthorized:
			findings = append(findings, Finding{
				Check: checkPermissions, Severity: Warning, Text: fmt.Sprintf("%s: WeChat refuses (errcode %d)", r.name, r.answer.code),
				Remedy: r.answer.code.Remedy(),
			})
		case class == errcode.OK, class == errcode.InvalidRequest, class == errcode.Unknown:
			granted = append(granted, r.name) // "there is none" is an answer too: the account may ask.
		default:
			findings = append(findings, Finding{
				Check: checkPermissions, Severity: Warning, Text: fmt.Sprintf("%s: could not be found out (errcode %d)", r.name, r.answer.code),
				Remedy: r.answer.code.Remedy(),
			})
		}
	}
	if len(granted) > 0 {
		findings = append(findings, Finding{Check: checkPermissions, Severity: OK, Text: "WeChat answers calls about " + strings.Join(granted, ", ")})
	}
	return findings
}

// noCallbackURL is the answer of /cgi-bin/callback/check when the console has none (网络检测, 40201).
const noCallbackURL errcode.Code = 40201

const consoleCallback = "the console under 设置与开发 → 基本配置 → 服务器配置"

func judgeCallback(c callback) Finding {
	switch {
	case c.answer.code == noCallbackURL:
		return Finding{
			Check: checkCallback, Severity: Warning, Text: "no callback URL is set, so followers' messages do not arrive",
			Remedy: "enter it in " + consoleCallback + " and press 启用",
		}
	case !c.answer.ok():
		return Finding{Check: checkCallback, Severity: Warning, Text: "WeChat did not check it: " + c.answer.failure(), Remedy: c.answer.code.Remedy()}
	case len(c.addresses) == 0:
		return Finding{
			Check: checkCallback, Severity: Fault, Text: "WeChat finds no address for the name in the callback URL",
			Remedy: "correct the domain's DNS, or the URL in " + consoleCallback,
		}
	case c.lost > 0 && c.reached == 0:
		return Finding{
			Check: checkCallback, Severity: Warning, Text: fmt.Sprintf("WeChat resolves it to %s, which does not answer its ping", list(c.addresses)),
			Remedy: "fine if only ping is blocked; otherwise open ports 80 and 443 to WeChat's addresses",
		}
	}
	return Finding{Check: checkCallback, Severity: OK, Text: "WeChat resolves it to " + list(c.addresses)}
}

func list(addresses []netip.Addr) string {
	texts := make([]string, 0, len(addresses))
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

const (
	// clockTolerance covers the whole seconds of an HTTP date and the way of the answer.
	clockTolerance = 5 * time.Second
	// clockLimit is where tokens begin to be used past their life and deliveries to look like replays.
	clockLimit = 2 * time.Minute
)

func judgeClock(ahead time.Duration) Finding {
	finding := Finding{Check: checkClock, Severity: OK, Text: "agrees with WeChat's"}
	if ahead.Abs() <= clockTolerance {
		return finding
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	finding.Text = fmt.Sprintf("is %s %s WeChat's", ahead.Abs().Round(time.Second), direction)
	finding.Severity, finding.Remedy = Warning, "let the host keep its time by NTP (timedatectl set-ntp true)"
	if ahead.Abs() > clockLimit {
		finding.Severity = Fault
	}
	return finding
}

// said returns what a fault says to callers, which is what people should read; the causes are in the log.
func said(err error) string {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known.Message()
	}
	return err.Error()
}

func waitOf(err error) string {
	if wait := fault.RetryAfter(err); wait > 0 {
		return fmt.Sprintf("it is tried again after %s", wait.Round(time.Second))
	}
	return ""
}
