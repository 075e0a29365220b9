package chaos

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/signature"
)

// The accounts under attack, one for each mode. They share the development account's secrets.
const (
	compatibleApp = account.DevelopmentAppID
	safeApp       = "wxsafe00000000001"
	plainApp      = "wxplain0000000001"
)

func accountsUnderAttack() []account.Account {
	return []account.Account{
		{AppID: compatibleApp, OriginalID: originalID(compatibleApp), Encryption: account.EncryptionCompatible},
		{AppID: safeApp, OriginalID: originalID(safeApp), Encryption: account.EncryptionSafe},
		{AppID: plainApp, OriginalID: originalID(plainApp), Encryption: account.EncryptionPlain},
	}
}

func originalID(appID string) string { return "gh_" + appID }

// recipient stands in documents for the original id of the account that gets them.
const recipient = "RECIPIENT"

// shot is one request as bytes.
type shot struct {
	method string
	raw    []byte
	// last says that nothing more comes on the connection: the server sees its end while it reads.
	last bool
}

// want is what the gateway has to answer.
type want struct {
	statuses []int
	// body judges what came; nil accepts everything.
	body func(string) bool
}

func is(text string) func(string) bool { return func(body string) bool { return body == text } }
func isReply(body string) bool         { return strings.HasPrefix(body, "<xml>") }
func isJSONReply(body string) bool     { return strings.HasPrefix(body, "{") && json.Valid([]byte(body)) }
func isEither(body string) bool        { return body == "success" || isReply(body) || isJSONReply(body) }

// The classes of answers.
var (
	refused    = want{[]int{http.StatusForbidden}, is("")}
	unreadable = want{[]int{http.StatusOK}, is("success")}
	answered   = want{[]int{http.StatusOK}, isReply}
	accepted   = want{[]int{http.StatusOK}, isEither} // authentic, and spoilt in a way that may leave it readable
	tooLarge   = want{[]int{http.StatusRequestEntityTooLarge}, is("")}
	badMethod  = want{[]int{http.StatusMethodNotAllowed}, is("")}
	notFound   = want{[]int{http.StatusNotFound}, nil}
	badRequest = want{[]int{http.StatusBadRequest}, nil}
	refusedOr  = want{[]int{http.StatusForbidden, http.StatusOK}, nil} // unsigned parts of an envelope were spoilt
)

// attack makes one hostile request, or a good one now and then.
type attack struct {
	name string
	make func(f *forge) (shot, want)
}

// forge makes requests that WeChat could have made, and the means to spoil them. Everything random comes
// from its source, so that a number names the same request in each run.
type forge struct {
	*rand.Rand
	number int
	now    time.Time
}

// push is a request of WeChat's before it becomes bytes.
type push struct {
	appID  string
	sealed bool
	inner  []byte

	timestamp, nonce string
	body             []byte
	query            url.Values
}

func pick[T any](f *forge, of ...T) T { return of[f.IntN(len(of))] }

// message is a text message in clear.
func (f *forge) message(content string) []byte {
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA["+recipient+"]]></ToUserName><FromUserName><![CDATA[oHOSTILE0000000000000000001]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%d</MsgId></xml>",
		f.now.Unix(), content, int64(1)<<52+int64(f.number))
}

// push wraps a document for one of the accounts, signed so that it is WeChat's.
func (f *forge) push(inner []byte) *push {
	p := &push{appID: pick(f, compatibleApp, safeApp, plainApp)}
	p.inner = bytes.ReplaceAll(inner, []byte(recipient), []byte(originalID(p.appID)))
	p.sealed = p.appID == safeApp || (p.appID == compatibleApp && f.IntN(2) == 0)
	p.timestamp, p.nonce = strconv.FormatInt(f.now.Unix(), 10), strconv.Itoa(f.IntN(math.MaxInt32))
	if !p.sealed {
		p.body = p.inner
		return p.sign("")
	}
	return p.envelope(encrypt(frame(p.inner, uint32(len(p.inner)), p.appID)))
}

// sealedPush is push for an account that encrypts.
func (f *forge) sealedPush(inner []byte) *push {
	for {
		if p := f.push(inner); p.sealed {
			return p
		}
	}
}

// clearPush is push for an account that doesn't.
func (f *forge) clearPush(inner []byte) *push {
	for {
		if p := f.push(inner); !p.sealed {
			return p
		}
	}
}

// envelope gives the push a body with that cipher text and the signature that belongs to it.
func (p *push) envelope(encrypted string) *push {
	p.body = []byte("<xml><ToUserName><![CDATA[" + originalID(p.appID) + "]]></ToUserName><Encrypt><![CDATA[" + encrypted + "]]></Encrypt></xml>")
	return p.sign(encrypted)
}

// sign writes the query for the push's timestamp and nonce, and for the cipher text if there is one.
func (p *push) sign(encrypted string) *push {
	p.query = url.Values{
		"timestamp": {p.timestamp}, "nonce": {p.nonce}, "openid": {"oHOSTILE0000000000000000001"},
		"signature": {signature.Sign(account.DevelopmentCallbackToken, p.timestamp, p.nonce)},
	}
	if p.sealed {
		p.query.Set("encrypt_type", "aes")
		p.query.Set("msg_signature", signature.Sign(account.DevelopmentCallbackToken, p.timestamp, p.nonce, encrypted))
	}
	return p
}

// proof is the parameter that the push stands or falls with.
func (p *push) proof() string {
	if p.sealed {
		return "msg_signature"
	}
	return "signature"
}

func (p *push) shot() shot { return p.shotAs(http.MethodPost, "/wx/"+p.appID, p.query.Encode()) }

func (p *push) shotAs(method, path, query string, headers ...string) shot {
	var raw bytes.Buffer
	if query != "" {
		query = "?" + query
	}
	fmt.Fprintf(&raw, "%s %s%s HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n", method, path, query, len(p.body))
	for _, header := range headers {
		raw.WriteString(header + "\r\n")
	}
	raw.WriteString("\r\n")
	raw.Write(p.body)
	return shot{method: method, raw: raw.Bytes()}
}

// The cipher is done here once more, because what is to be forged is what our own package never makes.

var aesKey = func() []byte {
	key, err := base64.StdEncoding.DecodeString(account.DevelopmentEncodingAESKey + "=")
	if err != nil {
		panic(err)
	}
	return key
}()

// frame is the plain text with the length that it announces and the account it is for.
func frame(inner []byte, announced uint32, appID string) []byte {
	plain := append(make([]byte, 0, len(inner)+64), "0123456789abcdef"...)
	plain = binary.BigEndian.AppendUint32(plain, announced)
	plain = append(append(plain, inner...), appID...)
	padding := 32 - len(plain)%32
	return append(plain, bytes.Repeat([]byte{byte(padding)}, padding)...)
}

// encrypt makes the text of Encrypt from whole blocks.
func encrypt(plain []byte) string {
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		panic(err)
	}
	sealed := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, aesKey[:aes.BlockSize]).CryptBlocks(sealed, plain)
	return base64.StdEncoding.EncodeToString(sealed)
}

// spoil changes a few bytes.
func (f *forge) spoil(text []byte) []byte {
	text = bytes.Clone(text)
	for range 1 + f.IntN(8) {
		at := f.IntN(len(text))
		switch f.IntN(4) {
		case 0:
			text[at] = byte(f.Uint32())
		case 1:
			text[at] ^= 1 << f.IntN(8)
		case 2:
			text = slices.Delete(text, at, at+1)
		default:
			text = slices.Insert(text, at, pick(f, []byte("<"), []byte("]]>"), []byte("&"), []byte{0}, []byte("</xml>"), []byte("<xml>"))...)
		}
	}
	return text
}

// cut shortens a document somewhere before its last character.
func (f *forge) cut(text []byte) []byte { return text[:f.IntN(len(text))] }

// broken is a document that is none of WeChat's, by one of several ways.
func (f *forge) broken() []byte {
	message := f.message("x")
	nested := func(depth int) []byte {
		return []byte("<xml>" + strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth) + "</xml>")
	}
	return pick(f,
		nil,
		f.cut(message),
		nested(17+f.IntN(20_000)),
		[]byte("<xml>"+strings.Repeat("<a/>", 2000+f.IntN(20_000))+"</xml>"),
		[]byte(`<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><xml><Content>&c;</Content></xml>`),
		[]byte(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>`+string(message)),
		bytes.Replace(message, []byte("<![CDATA[x]]>"), []byte("&nbsp;&undefined;"), 1),
		bytes.Replace(message, []byte("FromUserName"), []byte("FromUser"), 2),
		append(message, message...),
		[]byte("success"), []byte("\xff\xfe\x00<"), []byte("<"), []byte("]]>"), bytes.Repeat([]byte("<xml "), 1000),
		f.cut(f.json()), bytes.Repeat([]byte("["), 20_000), []byte(`{"ToUserName":{"a":[{}]},"MsgType":"text"}`), append(f.json(), '}'),
	)
}

// oddNumbers is a message whose details are not what they should be.
func (f *forge) oddNumbers() []byte {
	message := f.message("x")
	return pick(f,
		bytes.Replace(message, []byte("<CreateTime>"), []byte("<CreateTime>soon"), 1),
		bytes.Replace(message, []byte("<MsgId>"), []byte("<MsgId>-"), 1),
		bytes.Replace(message, []byte("<MsgId>"), []byte("<MsgId>99999999999999999999"), 1),
	)
}

// json is a push in the format that the console offers beside XML (数据格式).
func (f *forge) json() []byte {
	text, err := json.Marshal(map[string]any{
		"ToUserName": recipient, "FromUserName": "oHOSTILE0000000000000000001", "CreateTime": f.now.Unix(),
		"MsgType": "text", "Content": "x", "MsgId": f.number,
	})
	if err != nil {
		panic(err)
	}
	return text
}

// attacks are all kinds of requests; each is made equally often.
var attacks = []attack{
	{"a good message", func(f *forge) (shot, want) {
		return f.push(f.message("你好")).shot(), answered
	}},
	{"characters that XML forbids, and broken UTF-8", func(f *forge) (shot, want) {
		return f.push(f.message("a\x00\x08\x1b\xff\xc0\x80\xed\xa0\x80b")).shot(), answered
	}},
	{"a message to somebody else", func(f *forge) (shot, want) {
		return f.push(bytes.Replace(f.message("x"), []byte(recipient), []byte("gh_somebodyelse"), 1)).shot(), accepted
	}},
	{"a wrong signature", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		proof := []byte(p.query.Get(p.proof()))
		wrong := pick(f, "", "0", strings.ToUpper(string(proof))+"Z", strings.Repeat("f", 1<<12), string(proof[1:]), string(f.spoil(proof))+"!")
		p.query.Set(p.proof(), wrong)
		return p.shot(), refused
	}},
	{"a parameter that is missing or another one", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		name := pick(f, "nonce", p.proof())
		p.query.Set(name, p.query.Get(name)+strconv.Itoa(f.IntN(10)))
		if f.IntN(2) == 0 {
			p.query.Del(name)
		}
		return p.shot(), refused
	}},
	{"an old timestamp, well signed", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		off := 11*60 + f.Int64N(1<<30)
		p.timestamp = pick(f, strconv.FormatInt(f.now.Unix()-off, 10), strconv.FormatInt(f.now.Unix()+off, 10), "", "soon", "0", "-1",
			"1e9", " "+p.timestamp, p.timestamp+".0", strconv.FormatInt(math.MaxInt64, 10), strconv.FormatInt(math.MinInt64, 10), strings.Repeat("9", 1<<10))
		return p.sign(encrypt(frame(p.inner, uint32(len(p.inner)), p.appID))).shot(), refused
	}},
	{"parameters that nobody asked for", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		query := p.query.Encode() + pick(f, "&%zz=1", "&;", "&a=%", "&timestamp=1&nonce=2&signature=3&msg_signature=4&encrypt_type=raw",
			"&"+strings.Repeat("a=b&", 1000), "&\xff\x80", "&[]=[]", "&=")
		return p.shotAs(http.MethodPost, "/wx/"+p.appID, query), answered
	}},
	{"another method", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		return p.shotAs(pick(f, "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "BREW", "PROPFIND"), "/wx/"+p.appID, p.query.Encode()), badMethod
	}},
	{"another path", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		path := pick(f, "/", "//", "/wx/", "/wx/"+p.appID+"/", "/wx/../wx/"+p.appID, "//wx/"+p.appID, "/WX/"+p.appID, "/wx/%00", "/metrics",
			"/debug/pprof/heap", "/wx/"+strings.ToUpper(p.appID), "/wx/"+strings.Repeat("a", 1<<12), "/wx/"+p.appID+"%2f..", "/%77x/../etc/passwd", "/wx/"+p.appID+";a")
		return p.shotAs(pick(f, http.MethodPost, http.MethodGet), path, p.query.Encode()), notFound
	}},
	{"headers that nobody asked for", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		headers := pick(f, []string{"Content-Encoding: gzip"}, []string{"X-Forwarded-For: " + strings.Repeat("1.1.1.1, ", 500)},
			[]string{"Content-Type: application/json; charset=utf-7"}, []string{"Cookie: " + strings.Repeat("a=b;", 2000)}, []string{"Traceparent: 00-zz"},
			[]string{"Traceparent: 00-00000000000000000000000000000000-0000000000000000-ff", "Tracestate: =,=,"}, []string{"Baggage: %%%"},
			[]string{"Range: bytes=0-0,-1"}, []string{"Accept-Encoding: br;q=0"}, []string{"X-Http-Method-Override: DELETE"}, []string{"A: \xff\xfe"})
		return p.shotAs(http.MethodPost, "/wx/"+p.appID, p.query.Encode(), headers...), answered
	}},
	{"headers that are too long", func(f *forge) (shot, want) {
		if f.IntN(10) > 0 { // net/http lingers half a second after each of these
			return f.push(f.message("x")).shot(), answered
		}
		p := f.push(f.message("x"))
		s := p.shotAs(http.MethodPost, "/wx/"+p.appID, p.query.Encode(), "A: "+strings.Repeat("a", 64<<10))
		return s, want{[]int{http.StatusRequestHeaderFieldsTooLarge}, nil}
	}},
	{"a verification", func(f *forge) (shot, want) {
		p := f.clearPush(nil)
		echo := pick(f, "42", "<script>alert(1)</script>", "", "\x00\r\n\r\nHTTP/1.1 200 OK", strings.Repeat("你", 500))
		p.query.Set("echostr", echo)
		return p.shotAs(http.MethodGet, "/wx/"+p.appID, p.query.Encode()), want{[]int{http.StatusOK}, is(echo)}
	}},
	{"a forged verification", func(f *forge) (shot, want) {
		p := f.clearPush(nil)
		p.query.Set("echostr", "42")
		p.query.Set(pick(f, "nonce", "signature", "timestamp"), "0")
		return p.shotAs(http.MethodGet, "/wx/"+p.appID, p.query.Encode()), refused
	}},
	{"a body that is too large", func(f *forge) (shot, want) {
		if f.IntN(10) > 0 { // each costs a megabyte
			return f.push(f.message("x")).shot(), answered
		}
		p := f.push(nil)
		p.body = bytes.Repeat([]byte("a"), 1<<20+1+f.IntN(1<<12))
		return p.shot(), tooLarge
	}},
	{"a large body", func(f *forge) (shot, want) {
		return f.push(f.message(strings.Repeat("字", 1+f.IntN(50_000)))).shot(), answered
	}},
	{"a document that is none", func(f *forge) (shot, want) {
		return f.push(f.broken()).shot(), unreadable
	}},
	{"a message in JSON", func(f *forge) (shot, want) {
		return f.push(f.json()).shot(), want{[]int{http.StatusOK}, isJSONReply}
	}},
	{"numbers that are none", func(f *forge) (shot, want) {
		return f.push(f.oddNumbers()).shot(), answered
	}},
	{"spoilt bytes, well signed", func(f *forge) (shot, want) {
		return f.push(f.spoil(f.message("x"))).shot(), accepted
	}},
	{"in clear to an account in safe mode", func(f *forge) (shot, want) {
		p := f.clearPush(f.message("x"))
		return p.shotAs(http.MethodPost, "/wx/"+safeApp, p.query.Encode()), refused
	}},
	{"no envelope, or a cut one", func(f *forge) (shot, want) {
		p := f.sealedPush(f.message("x"))
		p.body = pick(f, f.cut(p.body), nil, f.json(), f.message("x"), []byte(`{"ToUserName":"gh_1","Encrypt":"AAAA"}`),
			bytes.Replace(p.body, []byte("<Encrypt>"), []byte("<!DOCTYPE x><Encrypt>"), 1))
		return p.shot(), refused
	}},
	{"a spoilt envelope", func(f *forge) (shot, want) {
		p := f.sealedPush(f.message("x"))
		p.body = f.spoil(p.body)
		return p.shot(), refusedOr
	}},
	{"spoilt cipher text, signed again", func(f *forge) (shot, want) {
		p := f.sealedPush(f.message("x"))
		sealed, err := base64.StdEncoding.DecodeString(encrypt(frame(p.inner, uint32(len(p.inner)), p.appID)))
		if err != nil {
			panic(err)
		}
		for range 1 + f.IntN(4) {
			sealed[f.IntN(len(sealed))] ^= 1 << f.IntN(8)
		}
		return p.envelope(base64.StdEncoding.EncodeToString(sealed)).shot(), accepted
	}},
	{"cipher text that is none, signed", func(f *forge) (shot, want) {
		p := f.sealedPush(f.message("x"))
		good := encrypt(frame(p.inner, uint32(len(p.inner)), p.appID))
		return p.envelope(pick(f, "AAAA", "=", "!", good[:len(good)-4], good[4:], good[:40]+"\n"+good[40:], strings.Repeat("A", 1<<16), good+good,
			encrypt(make([]byte, 32)), encrypt(bytes.Repeat([]byte{32}, 32)), encrypt(bytes.Repeat([]byte{255}, 64)))).shot(), unreadable
	}},
	{"a frame with another length or account, signed", func(f *forge) (shot, want) {
		p := f.sealedPush(f.message("x"))
		length := uint32(len(p.inner))
		lie := pick(f, 0, 1, length-1, length+1, length+uint32(len(p.appID)), math.MaxInt32, math.MaxInt32+1, math.MaxUint32)
		forged := pick(f, frame(p.inner, lie, p.appID), frame(p.inner, length, ""), frame(p.inner, length, "wx0000000000000000"), frame(p.inner, length, p.appID+"x"))
		return p.envelope(encrypt(forged)).shot(), unreadable
	}},
	{"chunks", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		return p.chunked(func(raw *bytes.Buffer) {
			for body := p.body; len(body) > 0; {
				n := min(len(body), 1+f.IntN(64))
				fmt.Fprintf(raw, "%x;ext=\"1\"\r\n%s\r\n", n, body[:n])
				body = body[n:]
			}
			raw.WriteString("0\r\nTrailer: 1\r\n\r\n")
		}), answered
	}},
	{"chunks that are none", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		s := p.chunked(func(raw *bytes.Buffer) {
			raw.WriteString(pick(f, "zz\r\n", "-1\r\n", "7fffffffffffffff\r\nabc", "ffffffffffffffffff\r\nabc", "5\r\nab", "3\r\nabcdef\r\n", ""))
		})
		s.last = true
		return s, badRequest
	}},
	{"a body that ends early", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		s := p.shot()
		s.raw, s.last = s.raw[:len(s.raw)-1-f.IntN(len(p.body))], true
		if f.IntN(2) == 0 {
			s.raw = bytes.Replace(s.raw, fmt.Appendf(nil, "Content-Length: %d", len(p.body)), []byte("Content-Length: 1152921504606846976"), 1)
			return s, tooLarge
		}
		return s, badRequest
	}},
	{"no HTTP", func(f *forge) (shot, want) {
		p := f.push(f.message("x"))
		line := "POST /wx/" + p.appID + " HTTP/1.1\r\n"
		raw := pick(f, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", line+"Host: a\r\nHost: b\r\n\r\n",
			line+"Host: a\r\nNo colon\r\n\r\n", line+"Host: a\r\nSp ace: 1\r\n\r\n", line+"Host: a\r\nA: \x00\r\n\r\n", line+"Host: a\r\nContent-Length: -1\r\n\r\n",
			line+"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", line+"Host: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
			"POST /wx/%zz HTTP/1.1\r\nHost: a\r\n\r\n", "POST wx HTTP/1.1\r\nHost: a\r\n\r\n", "PO ST / HTTP/1.1\r\nHost: a\r\n\r\n")
		return shot{method: http.MethodPost, raw: []byte(raw), last: true}, badRequest
	}},
	{"HTTP that nobody speaks", func(f *forge) (shot, want) {
		// The only answers above 499, and net/http's own: such a request reaches no code of ours.
		if f.IntN(2) == 0 {
			raw := "POST / HTTP/3.7\r\nHost: a\r\n\r\n"
			return shot{method: http.MethodPost, raw: []byte(raw), last: true}, want{[]int{http.StatusHTTPVersionNotSupported}, nil}
		}
		raw := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"
		return shot{method: http.MethodPost, raw: []byte(raw), last: true}, want{[]int{http.StatusNotImplemented}, nil}
	}},
}

// chunked is the push with a body of its own making.
func (p *push) chunked(body func(*bytes.Buffer)) shot {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "POST /wx/%s?%s HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n", p.appID, p.query.Encode())
	body(&raw)
	return shot{method: http.MethodPost, raw: raw.Bytes()}
}
