// Package msgcrypt opens and seals the encrypted messages (消息加解密) that
// WeChat exchanges with an account's server in compatible mode (兼容模式) and
// safe mode (安全模式).
//
// The scheme is AES-256-CBC under the account's EncodingAESKey (消息加解密密钥),
// signed with SHA-1 under its callback Token (令牌). The plain text is framed as
//
//	random (16 bytes) | length of message (4 bytes, big-endian) | message | AppID
//
// and padded in the manner of PKCS#7, but to blocks of 32 bytes.
//
// Source: 微信公众平台 “消息加解密说明” and the official sample library
// WXBizMsgCrypt, whose return codes every error has.
package msgcrypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"github.com/wxstack/wxstack/wechat/signature"
)

// What the errors of New, Open and Seal wrap. Each is an *Error as well, which has
// the official Code.
var (
	// ErrSignature says that msg_signature does not match: the Token differs, or
	// somebody else sent or altered the message.
	ErrSignature = errors.New("message signature does not match")

	// ErrKey says that the EncodingAESKey is illegal.
	ErrKey = errors.New("illegal EncodingAESKey")

	// ErrAppIDMismatch says that the message decrypted well, but is addressed to
	// another AppID.
	ErrAppIDMismatch = errors.New("message is for another AppID")

	// ErrMalformed says that the signature is right, but what it covers is not a
	// message under this key. It unites CodeDecryptAES, CodeIllegalBuffer and
	// CodeDecodeBase64, because after a key rotation a wrong key can show as any of
	// them.
	ErrMalformed = errors.New("malformed encrypted message")
)

const (
	// encodedKeyLength is the length of an EncodingAESKey: base64 of 32 bytes
	// without its one trailing "=".
	encodedKeyLength = 43

	// randomLength is the length of the random prefix of the plain text.
	randomLength = 16

	// lengthLength is the length of the field that holds the message's length.
	lengthLength = 4

	// headerLength is what precedes the message in the plain text.
	headerLength = randomLength + lengthLength

	// paddingBlock is the block to which plain text is padded: twice the block of
	// AES. Pads of 17 to 32 are therefore ordinary, and a library's own PKCS#7
	// removal would refuse them.
	paddingBlock = 32
)

// Envelope is a sealed message: the four elements of an encrypted passive reply.
// MsgSignature covers the other three, so they have to be sent as they are here.
type Envelope struct {
	// Encrypt is the cipher text in standard base64.
	Encrypt string
	// MsgSignature is the signature over Token, TimeStamp, Nonce and Encrypt.
	MsgSignature string
	// TimeStamp is the time of sealing in Unix seconds, as a decimal number.
	TimeStamp string
	// Nonce is the number used once that was signed.
	Nonce string
}

// Cipher opens and seals the messages of one account under one Token and one
// EncodingAESKey. It is safe for concurrent use. During a key rotation an
// account has two Ciphers; a reply is sealed with the one that opened the push.
type Cipher struct {
	appID string
	token string
	block cipher.Block
	iv    []byte
}

// New returns the Cipher of the account appID. The callbackToken is the Token
// (令牌) and encodingAESKey the EncodingAESKey (消息加解密密钥) of the console page
// 设置与开发 → 基本配置 → 服务器配置. The key has 43 characters of base64; an
// illegal one gives an error wrapping ErrKey, which never contains the key.
//
// The key is decoded leniently: 43 characters hold two bits more than the 256 of
// the key, and the console does not clear them, so that strict decoding would
// refuse most real keys.
func New(appID, callbackToken, encodingAESKey string) (*Cipher, error) {
	if len(encodingAESKey) != encodedKeyLength {
		return nil, errorf(CodeIllegalAESKey, "%w: it has %d characters, copy the %d of the console",
			ErrKey, len(encodingAESKey), encodedKeyLength)
	}
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil {
		// The decoder's error names only an offset, so nothing of the key leaks.
		return nil, errorf(CodeIllegalAESKey, "%w: it is not base64: %w",
			ErrKey, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errorf(CodeIllegalAESKey, "%w: %w",
			ErrKey, err)
	}

	// The platform fixes the initialisation vector to the head of the key.
	return &Cipher{appID: appID, token: callbackToken, block: block, iv: key[:aes.BlockSize]}, nil
}

// Open verifies that msgSignature covers timestamp, nonce and encrypted, decrypts
// encrypted, and returns the message after checking that it names this account's
// AppID. The arguments are the query parameters msg_signature, timestamp and
// nonce and the body's Encrypt element without surrounding white space.
//
// The error wraps ErrSignature (nothing was decrypted), ErrMalformed or
// ErrAppIDMismatch. The latter two are what a message under the previous
// EncodingAESKey looks like, because the signature doesn't depend on the key.
func (c *Cipher) Open(msgSignature, timestamp, nonce, encrypted string) ([]byte, error) {
	if !signature.Verify(msgSignature, c.token, timestamp, nonce, encrypted) {
		return nil, errorf(CodeValidateSignature, "%w: msg_signature of timestamp %.20q, check the callback token",
			ErrSignature, timestamp)
	}
	buffer, err := decode(encrypted)
	if err != nil {
		return nil, err
	}
	cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(buffer, buffer)

	plain, err := unpad(buffer)
	if err != nil {
		return nil, err
	}

	return c.unframe(plain)
}

// Seal encrypts and signs plaintext, for example the XML of a passive reply. The
// timestamp is the current time in Unix seconds, and nonce may be the push's or
// a new one. The words "success" and "" are answered as they are and must not be
// sealed.
//
// An error means that plaintext is longer than its 32-bit length field can say.
func (c *Cipher) Seal(plaintext []byte, timestamp, nonce string) (Envelope, error) {
	var random [randomLength]byte
	// Since Go 1.24 this never returns an error: it ends the process instead.
	_, _ = rand.Read(random[:])

	return c.seal(random, plaintext, timestamp, nonce)
}

// seal is Seal with the random prefix given, which makes it a pure function that
// published vectors can test.
func (c *Cipher) seal(random [randomLength]byte, plaintext []byte, timestamp, nonce string) (Envelope, error) {
	if uint64(len(plaintext)) > math.MaxUint32 {
		return Envelope{}, errorf(CodeEncryptAES, "%w: a message of %d bytes exceeds its length field",
			ErrMalformed, len(plaintext))
	}
	buffer := make([]byte, 0, headerLength+len(plaintext)+len(c.appID)+paddingBlock)
	buffer = append(buffer, random[:]...)
	buffer = binary.BigEndian.AppendUint32(buffer, uint32(len(plaintext))) //nolint:gosec // checked above.
	buffer = append(buffer, plaintext...)
	buffer = append(buffer, c.appID...)
	buffer = pad(buffer)
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(buffer, buffer)

	encrypted := base64.StdEncoding.EncodeToString(buffer)

	return Envelope{
		Encrypt:      encrypted,
		MsgSignature: signature.Sign(c.token, timestamp, nonce, encrypted),
		TimeStamp:    timestamp,
		Nonce:        nonce,
	}, nil
}

// decode returns the cipher text of encrypted, checked to be whole AES blocks.
// WeChat sends multiples of 32 bytes; some senders pad to 16, which is harmless.
func decode(encrypted string) ([]byte, error) {
	// The decoder skips line breaks of its own accord, which would accept texts
	// that other implementations refuse.
	if strings.ContainsAny(encrypted, "\r\n") {
		return nil, errorf(CodeDecodeBase64, "%w: Encrypt has line breaks",
			ErrMalformed)
	}
	buffer, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, errorf(CodeDecodeBase64, "%w: Encrypt is not base64: %w",
			ErrMalformed, err)
	}
	if len(buffer) == 0 || len(buffer)%aes.BlockSize != 0 {
		return nil, errorf(CodeDecryptAES, "%w: cipher text of %d bytes is not whole blocks of %d",
			ErrMalformed, len(buffer), aes.BlockSize)
	}

	return buffer, nil
}

// unframe takes the message out of the plain text and checks the AppID at its
// tail.
func (c *Cipher) unframe(plain []byte) ([]byte, error) {
	if len(plain) < headerLength {
		return nil, errorf(CodeIllegalBuffer, "%w: plain text of %d bytes is shorter than its header of %d",
			ErrMalformed, len(plain), headerLength)
	}
	length := binary.BigEndian.Uint32(plain[randomLength:headerLength])
	rest := plain[headerLength:]
	if uint64(length) > uint64(len(rest)) {
		return nil, errorf(CodeIllegalBuffer, "%w: announced %d bytes of message, %d are there",
			ErrMalformed, length, len(rest))
	}
	message, appID := rest[:length], rest[length:]
	if subtle.ConstantTimeCompare(appID, []byte(c.appID)) != 1 {
		return nil, errorf(CodeValidateAppID, "%w: expected %q, got %.64q",
			ErrAppIDMismatch, c.appID, appID)
	}

	return message, nil
}

// pad appends 1 to 32 bytes, each holding their number, up to a whole padding
// block.
func pad(buffer []byte) []byte {
	count := paddingBlock - len(buffer)%paddingBlock

	return append(buffer, bytes.Repeat([]byte{byte(count)}, count)...)
}

// unpad removes what pad appended. The official samples strip nothing when the
// count is out of range; refusing is safer. It tells the reader of the error
// nothing that helps to decrypt, because only signed texts come this far.
func unpad(buffer []byte) ([]byte, error) {
	count := int(buffer[len(buffer)-1])
	if count < 1 || count > paddingBlock || count > len(buffer) {
		return nil, errorf(CodeIllegalBuffer, "%w: padding of %d bytes, the EncodingAESKey may be another one",
			ErrMalformed, count)
	}
	rest, padding := buffer[:len(buffer)-count], buffer[len(buffer)-count:]
	for _, value := range padding {
		if int(value) != count {
			return nil, errorf(CodeIllegalBuffer, "%w: uneven padding, the EncodingAESKey may be another one",
				ErrMalformed)
		}
	}

	return rest, nil
}
