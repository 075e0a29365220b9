// Package explain shows how the signatures and the encryption of one exchange with an account's server come about, step
// by step, so that a developer whose own code arrives at something else sees at which step.
//
// It computes everything anew from what went over the wire and shares no code with the packages that made it. Source:
// 微信公众平台 “接入概述” (access guide) and “消息加解密说明” (message encryption).
package explain

import (
	"crypto/sha1" //nolint:gosec // the platform prescribes SHA-1.
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Secrets are what an account and the platform share.
type Secrets struct {
	Token          string // Token (令牌).
	EncodingAESKey string // EncodingAESKey (消息加解密密钥); empty if nothing is encrypted.
	AppID          string // AppID that an encrypted message ends with.
	Reveal         bool   // Reveal shows the two secrets in the steps; otherwise they are masked.
}

// Part says which of an exchange's proofs a step belongs to.
type Part string

// The parts, in the order in which a server meets them.
const (
	PartSignature    Part = "signature"     // The signature of every request.
	PartMsgSignature Part = "msg_signature" // That of an encrypted push.
	PartDecryption   Part = "decryption"    // The content of an encrypted push.
	PartReply        Part = "reply"         // The envelope of an encrypted reply.
)

// Step is one step of a computation.
type Step struct {
	Part    Part   `json:"part"`
	Title   string `json:"title"`
	TitleEn string `json:"title_en"`
	Value   string `json:"value"`
	OK      bool   `json:"ok"` // False where something does not fit; what is merely computed fits.
}

// steps collects the steps of one part.
type steps struct {
	part Part
	list []Step
}

func (s *steps) add(title, titleEn, value string) { s.check(title, titleEn, value, true) }

func (s *steps) check(title, titleEn, value string, ok bool) {
	s.list = append(s.list, Step{Part: s.part, Title: title, TitleEn: titleEn, Value: value, OK: ok})
}

// Request explains a request to a callback URL: its address with the query, and its body, which is empty for the URL
// verification (验证 URL).
func Request(secrets Secrets, address, body string) []Step {
	parsed, err := url.Parse(address)
	if err != nil {
		return []Step{{Part: PartSignature, Title: "请求地址无法解析", TitleEn: "The address can't be parsed", Value: err.Error()}}
	}
	query := parsed.Query()
	timestamp, nonce := query.Get("timestamp"), query.Get("nonce")
	plain := steps{part: PartSignature}
	plain.sign(secrets, "signature", query.Get("signature"), timestamp, nonce)
	if query.Get("encrypt_type") != "aes" {
		return plain.list
	}
	encrypted := envelopeOf(body).Encrypt
	sealed := steps{part: PartMsgSignature}
	sealed.sign(secrets, "msg_signature", query.Get("msg_signature"), timestamp, nonce, encrypted)
	opened := steps{part: PartDecryption}
	opened.decrypt(secrets, encrypted)

	return slices.Concat(plain.list, sealed.list, opened.list)
}

// Reply explains an encrypted reply. A reply in clear has no steps: it proves nothing.
func Reply(secrets Secrets, body string) []Step {
	sealed := envelopeOf(body)
	if sealed.Encrypt == "" {
		return nil
	}
	explained := steps{part: PartReply}
	explained.sign(secrets, "MsgSignature", sealed.MsgSignature, sealed.TimeStamp, sealed.Nonce, sealed.Encrypt)
	explained.decrypt(secrets, sealed.Encrypt)

	return explained.list
}

// sign explains a signature over the token and other values.
func (s *steps) sign(secrets Secrets, name, given string, values ...string) {
	names := []string{"Token", "timestamp", "nonce", "Encrypt"}[:1+len(values)]
	all := append([]string{secrets.Token}, values...)
	shown := func(value string) string {
		if value == secrets.Token {
			return secrets.masked(value)
		}

		return shorten(value)
	}
	listed, sorted := make([]string, len(all)), make([]string, len(all))
	for position, value := range all {
		listed[position] = names[position] + " = " + shown(value)
	}
	s.add("取出参与签名的值", "Take the values that are signed", strings.Join(listed, "\n"))
	slices.Sort(all)
	for position, value := range all {
		sorted[position] = shown(value)
	}
	s.add("按字典序（字节序）排序", "Sort them as bytes", strings.Join(sorted, "\n"))
	s.add("首尾相连，中间没有分隔符", "Join them with nothing between", strings.Join(sorted, ""))
	sum := sha1.Sum([]byte(strings.Join(all, ""))) //nolint:gosec // see the import.
	computed := hex.EncodeToString(sum[:])
	s.add("计算 SHA-1，写成小写十六进制", "SHA-1, in lower-case hexadecimal", computed)
	s.check("与 "+name+" 比较", "Compare with "+name, name+" = "+given, given == computed)
}

// masked hides a secret unless it may be seen.
func (s Secrets) masked(secret string) string {
	if s.Reveal {
		return secret
	}

	return "（" + strconv.Itoa(len(secret)) + "*）"
}

// shorten keeps long cipher texts readable.
func shorten(text string) string {
	const head, tail = 48, 12
	if len(text) <= head+tail+1 {
		return text
	}

	return text[:head] + "…" + text[len(text)-tail:]
}
