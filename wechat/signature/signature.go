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
)

// Sign returns the lower-case hexadecimal SHA-1 of parts, sorted as byte strings
// and joined without a separator. It leaves the caller's slice in its order.
//
// For a request signature the parts are Token, timestamp and nonce; for
// msg_signature the Encrypt text is the fourth.
func Sign(parts ...string) string {
	digits := sign(parts)

	return string(digits[:])
}

// Verify reports whether signature is the one Sign returns for parts. The
// comparison takes the same time wherever the two differ, so that a caller
// cannot guess a valid signature byte by byte. Upper-case digits don't match:
// WeChat sends lower case.
func Verify(signature string, parts ...string) bool {
	digits := sign(parts)

	return subtle.ConstantTimeCompare([]byte(signature), digits[:]) == 1
}

// What the parts of most signatures stay within: four parts, and the Encrypt text
// of a short message. Within these nothing is allocated.
const (
	usualParts  = 4
	usualLength = 1024
)

func sign(parts []string) (digits [2 * sha1.Size]byte) {
	sorted := append(make([]string, 0, usualParts), parts...)
	slices.Sort(sorted)
	joined := make([]byte, 0, usualLength)
	for _, part := range sorted {
		joined = append(joined, part...)
	}
	sum := sha1.Sum(joined) //nolint:gosec // see the import.
	hex.Encode(digits[:], sum[:])

	return digits
}
