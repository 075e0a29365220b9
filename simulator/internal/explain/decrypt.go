package explain

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
)

// envelope is what an encrypted push and an encrypted reply have in common.
type envelope struct {
	Encrypt      string      `json:"Encrypt"      xml:"Encrypt"`
	MsgSignature string      `json:"MsgSignature" xml:"MsgSignature"`
	TimeStamp    json.Number `json:"TimeStamp"    xml:"TimeStamp"`
	Nonce        string      `json:"Nonce"        xml:"Nonce"`
}

// opened is an envelope whose values are texts.
type opened struct{ Encrypt, MsgSignature, TimeStamp, Nonce string }

// envelopeOf reads the envelope in a body of either format. What can't be read is empty, and fails where it is compared.
func envelopeOf(body string) opened {
	var read envelope
	if trimmed := strings.TrimSpace(body); strings.HasPrefix(trimmed, "{") {
		_ = json.Unmarshal([]byte(trimmed), &read)
	} else {
		_ = xml.Unmarshal([]byte(trimmed), &read)
	}

	return opened{
		Encrypt: strings.TrimSpace(read.Encrypt), MsgSignature: strings.TrimSpace(read.MsgSignature),
		TimeStamp: strings.TrimSpace(read.TimeStamp.String()), Nonce: strings.TrimSpace(read.Nonce),
	}
}

// The frame of the plain text: random (16) | length (4, big-endian) | message | AppID, padded to blocks of 32.
const (
	randomLength = 16
	headerLength = randomLength + 4
	paddingBlock = 32
)

// decrypt explains what is inside an Encrypt text, up to the step that fails.
func (s *steps) decrypt(secrets Secrets, encrypted string) {
	key, err := base64.StdEncoding.DecodeString(secrets.EncodingAESKey + "=")
	if err != nil || len(key) != 2*aes.BlockSize {
		s.check("AESKey = base64 解码(EncodingAESKey + \"=\")", "AESKey = base64 decoding of EncodingAESKey + \"=\"",
			fmt.Sprintf("EncodingAESKey: %d ≠ 43", len(secrets.EncodingAESKey)), false)

		return
	}
	s.add("AESKey = base64 解码(EncodingAESKey + \"=\")，32 字节", "AESKey = base64 decoding of EncodingAESKey + \"=\", 32 bytes",
		secrets.masked(hex.EncodeToString(key)))
	text, err := base64.StdEncoding.DecodeString(encrypted)
	whole := err == nil && len(text) > 0 && len(text)%aes.BlockSize == 0
	s.check("base64 解码 Encrypt，长度须是 16 的倍数", "Decode Encrypt from base64; its length must be a multiple of 16",
		fmt.Sprintf("%d bytes", len(text)), whole)
	if !whole {
		return
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return // The key has 32 bytes, see above.
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(text, text)
	s.add("AES-256-CBC 解密，IV = AESKey 的前 16 字节", "Decrypt by AES-256-CBC; the IV is the first 16 bytes of AESKey",
		fmt.Sprintf("%d bytes", len(text)))
	s.unframe(secrets, text)
}

// unframe explains the parts of the plain text.
func (s *steps) unframe(secrets Secrets, text []byte) {
	pad := int(text[len(text)-1])
	padded := pad >= 1 && pad <= paddingBlock && pad <= len(text)
	s.check("去掉 PKCS#7 填充（按 32 字节分组，1–32）", "Remove the padding of PKCS#7 (blocks of 32 bytes: 1 to 32)",
		fmt.Sprintf("%d bytes", pad), padded)
	if !padded {
		return
	}
	text = text[:len(text)-pad]
	length := len(text) // Too much, unless there is a header that says less.
	if len(text) >= headerLength {
		length = int(binary.BigEndian.Uint32(text[randomLength:headerLength]))
	}
	if length > len(text)-headerLength {
		s.check("16 字节随机数之后的 4 字节长度", "4 bytes of length after 16 random ones", fmt.Sprintf("%d bytes are there", len(text)), false)

		return
	}
	s.add("前 16 字节是随机数", "The first 16 bytes are random", hex.EncodeToString(text[:randomLength]))
	s.add("接着 4 字节（网络字节序）是内容长度", "The next 4 (big-endian) are the message's length", fmt.Sprintf("%d bytes", length))
	s.add("内容", "The message", strings.ToValidUTF8(string(text[headerLength:headerLength+length]), "\uFFFD"))
	tail := strings.ToValidUTF8(string(text[headerLength+length:]), "\uFFFD")
	s.check("最后是 AppID，须与账号一致", "Last the AppID, which must be the account's", tail+" / "+secrets.AppID, tail == secrets.AppID)
}
