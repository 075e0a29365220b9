// Package examine judges how an account's server answers the platform, and says what is wrong and where to mend it. It
// makes findings of observations and asks nobody.
package examine

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/verdict"
)

// Severity says whether somebody has to do something.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Note    Severity = "note"    // WeChat would mind, or somebody should know.
	Problem Severity = "problem" // It doesn't work, or isn't safe.
)

// Finding is the outcome of one check, in Chinese and English.
type Finding struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	TextEn   string   `json:"text_en"`
	Remedy   string   `json:"remedy,omitempty"` // What to do and where; empty when there is nothing to do.
	RemedyEn string   `json:"remedy_en,omitempty"`
}

// Exchange is one request and what came of it.
type Exchange struct {
	Failure  Failure // Why there was no answer; empty if there was one.
	Detail   string  // The failure in the system's words.
	Status   int
	Location string // Of a redirect.
	Body     string
	Date     time.Time // The server's own clock (Date header); zero if it didn't tell.
	At       time.Time // Our clock then.
	Took     time.Duration
}

// Failure is why there was no answer.
type Failure string

// The failures.
const (
	FailureDNS     Failure = "dns"
	FailureRefused Failure = "refused"
	FailureTLS     Failure = "tls"
	FailureTimeout Failure = "timeout"
	FailureOther   Failure = "other"
)

// Pushed is how a text in one mode was answered.
type Pushed struct {
	Mode    string // plain, compatible or safe.
	Verdict verdict.Verdict
	Reason  verdict.Reason
	Status  int
	Body    string
	// Again is how the same delivery was answered once more; its verdict is empty if it wasn't made.
	Again verdict.Verdict
	// AgainStatus is the HTTP status of that answer.
	AgainStatus int
	// Forged is how the same message was answered with a wrong signature; empty if it wasn't sent.
	Forged verdict.Verdict
}

// Facts are what was observed.
type Facts struct {
	Address string
	Timeout time.Duration
	Key     int // Length of the EncodingAESKey; 0 if none is needed.
	Echo    string
	Right   Exchange  // The URL verification, signed with the Token.
	Wrong   *Exchange // The same signed with another one; nil if it wasn't made.
	Pushes  []Pushed
}

// Judge makes findings of facts.
func Judge(facts Facts) []Finding {
	findings := slices.Concat(judgeAddress(facts), judgeKey(facts))
	if failed := judgeReach(facts); failed != nil {
		return append(findings, *failed)
	}
	findings = append(findings, Finding{Check: "reach", Severity: OK, Text: "服务器可以访问", TextEn: "the server can be reached"})
	verified := judgeEcho(facts)
	findings = append(findings, judgeClock(facts)...) // A cause of what follows.
	findings = append(findings, verified)
	findings = append(findings, judgeWrong(facts)...)
	findings = append(findings, judgeSpeed(facts)...)
	for _, pushed := range facts.Pushes {
		findings = append(findings, judgePush(pushed, verified.Severity == OK)...)
	}

	return findings
}

// judgeAddress looks at the URL itself (O): http on port 80 or https on 443, nothing else.
func judgeAddress(facts Facts) []Finding {
	parsed, err := url.Parse(facts.Address)
	if err != nil {
		return nil // Refused before.
	}
	port := parsed.Port()
	if port == "" || (parsed.Scheme == "http" && port == "80") || (parsed.Scheme == "https" && port == "443") {
		return nil
	}

	return []Finding{{
		Check: "port", Severity: Note, Text: "端口是 " + port + "：微信只支持 80（http）和 443（https）", TextEn: "the port is " + port + ": WeChat takes 80 (http) and 443 (https) only",
		Remedy: "本地调试没有影响；上线时在反向代理上使用 80 或 443", RemedyEn: "fine at your desk; in production let a proxy listen on 80 or 443",
	}}
}

// judgeKey looks at the length of the EncodingAESKey.
func judgeKey(facts Facts) []Finding {
	const length = 43
	if facts.Key == 0 || facts.Key == length {
		return nil
	}

	return []Finding{{
		Check: "key", Severity: Problem, Text: "EncodingAESKey 有 " + count(facts.Key) + " 个字符，必须是 43 个", TextEn: "the EncodingAESKey has " + count(facts.Key) + " characters, must have 43",
		Remedy: "从公众平台「服务器配置」重新完整复制，不要加 =", RemedyEn: "copy it whole from the console's server configuration, without adding =",
	}}
}

// judgeReach says why there was no answer to the verification, nil if there was one.
func judgeReach(facts Facts) *Finding {
	finding := Finding{Check: "reach", Severity: Problem}
	switch facts.Right.Failure {
	case "":
		return nil
	case FailureDNS:
		finding.Text, finding.TextEn = "域名无法解析："+facts.Right.Detail, "the host name can't be resolved: "+facts.Right.Detail
		finding.Remedy, finding.RemedyEn = "检查 URL 中的域名和 DNS 记录", "check the name in the URL and its DNS record"
	case FailureRefused:
		finding.Text, finding.TextEn = "连接被拒绝："+facts.Right.Detail, "the connection was refused: "+facts.Right.Detail
		finding.Remedy, finding.RemedyEn = "服务是否已启动，端口是否正确，防火墙是否放行", "is the server running, is the port right, does the firewall let it pass"
	case FailureTLS:
		finding.Text, finding.TextEn = "TLS 握手失败："+facts.Right.Detail, "the TLS handshake failed: "+facts.Right.Detail
		finding.Remedy, finding.RemedyEn = "URL 该用 https 吗？证书须由受信任的机构签发、未过期、域名一致，并包含完整证书链", "should the URL say https? The certificate must be trusted, valid, for this name, and sent with its chain"
	case FailureTimeout:
		finding.Text, finding.TextEn = facts.Timeout.String()+" 内没有应答", "no answer within "+facts.Timeout.String()
		finding.Remedy, finding.RemedyEn = "先返回 echostr，再做其他事", "answer the echostr before doing anything else"
	default:
		finding.Text, finding.TextEn = "连接中断："+facts.Right.Detail, "the connection broke: "+facts.Right.Detail
		finding.Remedy, finding.RemedyEn = "查看服务器日志", "look into the server's log"
	}

	return &finding
}

// judgeEcho looks at the answer to the URL verification (接入验证), which must be exactly the echostr.
func judgeEcho(facts Facts) Finding {
	answer := facts.Right
	finding := Finding{Check: "verify", Severity: Problem}
	switch {
	case answer.Status >= 300 && answer.Status < 400:
		finding.Text, finding.TextEn = "返回了重定向："+answer.Location, "it redirects to "+answer.Location
		finding.Remedy, finding.RemedyEn = "微信不跟随重定向：填写最终的 URL", "WeChat follows no redirects: configure the URL that it leads to"
	case answer.Status == 200 && answer.Body == facts.Echo:
		return Finding{Check: "verify", Severity: OK, Text: "URL 验证通过：原样返回了 echostr", TextEn: "the URL verification succeeds: the body is exactly the echostr"}
	case answer.Status == 200 && answer.Body != "":
		finding.Text, finding.TextEn, finding.Remedy, finding.RemedyEn = explainBody(answer.Body, facts.Echo)
	case answer.Status == 401, answer.Status == 403, answer.Status == 200:
		finding.Text, finding.TextEn = "签名正确的请求被拒绝（状态 "+count(answer.Status)+"）：Token 不一致", "a rightly signed request was refused (status "+count(answer.Status)+"): the Tokens differ"
		finding.Remedy = "核对两边的 Token：区分大小写，没有空格或换行；签名是 sha1(字典序排序后的 token、timestamp、nonce 相连)"
		finding.RemedyEn = "compare the Token on both sides: case, spaces, line breaks; the signature is sha1 of token, timestamp and nonce, sorted as bytes and joined"
	case answer.Status == 404 || answer.Status == 405:
		finding.Text, finding.TextEn = "状态 "+count(answer.Status)+"：这个路径不接受 GET", "status "+count(answer.Status)+": nothing takes a GET under this path"
		finding.Remedy, finding.RemedyEn = "核对 URL 的路径，并为它注册 GET", "check the path of the URL, and register GET for it"
	default:
		finding.Text, finding.TextEn = "HTTP 状态 "+count(answer.Status)+"，必须是 200", "the HTTP status is "+count(answer.Status)+", must be 200"
		finding.Remedy, finding.RemedyEn = "查看服务器日志", "look into the server's log"
	}

	return finding
}

// explainBody says in which way a body isn't exactly the echostr.
func explainBody(body, echo string) (text, textEn, remedy, remedyEn string) {
	trimmed := strings.TrimSpace(strings.TrimPrefix(body, "\uFEFF"))
	switch {
	case strings.HasPrefix(body, "\uFEFF"):
		return "echostr 前有 UTF-8 BOM", "a UTF-8 byte order mark stands before the echostr", "把源文件存为无 BOM 的 UTF-8", "save the source file as UTF-8 without BOM"
	case trimmed == echo:
		return "echostr 前后多了换行或空格", "white space stands around the echostr", "用不加换行的方式输出，例如 print 而不是 println", "write it without a line break, print instead of println"
	case strings.Trim(trimmed, `"'`) == echo:
		return "echostr 带了引号", "the echostr stands in quotes", "按纯文本返回，不要序列化成 JSON", "answer it as plain text, not as JSON"
	case strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "["):
		return "返回的是 JSON", "the body is JSON", "按纯文本只返回 echostr", "answer the echostr alone, as plain text"
	case strings.HasPrefix(trimmed, "<"):
		return "返回的是 HTML 或 XML 页面", "the body is an HTML or XML page", "可能是框架的错误页，或请求没有到达你的代码", "an error page of the framework, or the request doesn't get to your code"
	case sameNumber(trimmed, echo):
		return "echostr 被当作数字改写了：" + trimmed, "the echostr was rewritten as a number: " + trimmed, "把它当作字符串原样返回", "keep it as text and answer it as it came"
	default:
		return "返回的不是 echostr", "the body isn't the echostr", "返回查询参数 echostr 的原值", "answer the value of the query parameter echostr"
	}
}

// sameNumber reports whether a text is what became of a long number in a float: its first digits, then zeros or an exponent.
func sameNumber(text, echo string) bool {
	const digits = 12
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return false
	}
	plain := strings.ReplaceAll(text, ".", "")

	return len(plain) > digits && len(echo) > digits && plain[:digits] == echo[:digits]
}

// judgeWrong looks at what a request with a wrong signature was answered.
func judgeWrong(facts Facts) []Finding {
	switch {
	case facts.Wrong == nil || facts.Wrong.Failure != "":
		return nil
	case facts.Wrong.Status == 200 && (strings.Contains(facts.Wrong.Body, facts.Echo) || facts.Wrong.Body == facts.Right.Body):
		return []Finding{{
			Check: "signature", Severity: Problem, Text: "签名错误的请求也被接受：任何人都能冒充微信", TextEn: "a request with a wrong signature was accepted: anybody can pretend to be WeChat",
			Remedy: "验证 signature，不一致时返回 403", RemedyEn: "check the signature, and answer 403 if it differs",
		}}
	default:
		return []Finding{{Check: "signature", Severity: OK, Text: "签名错误的请求被拒绝", TextEn: "a request with a wrong signature was refused"}}
	}
}

// judgeClock compares the clocks, by which servers refuse old requests.
func judgeClock(facts Facts) []Finding {
	const tolerated = time.Minute
	if facts.Right.Date.IsZero() {
		return nil
	}
	drift := facts.Right.Date.Sub(facts.Right.At).Round(time.Second)
	if drift.Abs() <= tolerated {
		return nil
	}

	return []Finding{{
		Check: "clock", Severity: Problem, Text: "服务器时钟与本机相差 " + drift.String(), TextEn: "the server's clock differs from ours by " + drift.String(),
		Remedy: "用 NTP 校时：检查时间戳的服务器会拒绝微信的请求", RemedyEn: "set it by NTP: a server that checks timestamps would refuse WeChat's requests",
	}}
}

// judgeSpeed looks at how much of the five seconds is left.
func judgeSpeed(facts Facts) []Finding {
	if facts.Right.Took < facts.Timeout/2 { //nolint:mnd // Half of it should be left.
		return nil
	}

	return []Finding{{
		Check: "speed", Severity: Note, Text: "应答用了 " + facts.Right.Took.Round(time.Millisecond).String(), TextEn: "the answer took " + facts.Right.Took.Round(time.Millisecond).String(),
		Remedy: "微信只等 5 秒（含网络）：耗时的工作放到应答之后", RemedyEn: "WeChat waits 5 s, the network included: do what takes long after the answer",
	}}
}
