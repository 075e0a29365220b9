// Package signature computes and verifies the SHA-1 signatures (签名) with which
// WeChat and a developer's server prove to each other that they share the
// callback Token (令牌).
//
// The same construction serves two purposes: the signature of every callback
// request over Token, timestamp and nonce, and the msg_signature of an encrypted
// push or reply over those three and the Encrypt text.
//
// Source: 微信公众平台 “接入概述” (access guide) and “消息加解密说明” (message
// encryption).
package signature

import (
	"crypto/sha1" //nolint:gosec // the platform prescribes SHA-1; there is no choice of digest.
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

// Sign returns the lower-case hexadecimal SHA-1 of parts, sorted as byte strings
// and joined without a separator. It leaves the caller's slice in its order.
//
// For a request signature the parts are Token, timestamp and nonce; for
// msg_signature the Encrypt text is the fourth.
func Sign(parts ...string) string {
	sorted := slices.Clone(parts)
	slices.Sort(sorted)
	sum := sha1.Sum([]byte(strings.Join(sorted, ""))) //nolint:gosec // see the import.

	return hex.EncodeToString(sum[:])
}

// Verify reports whether signature is the one Sign returns for parts. The
// comparison takes the same time wherever the two differ, so that a caller
// cannot guess a valid signature byte by byte. Upper-case digits don't match:
// WeChat sends lower case.
func Verify(signature string, parts ...string) bool {
	return subtle.ConstantTimeCompare([]byte(signature), []byte(Sign(parts...))) == 1
}
