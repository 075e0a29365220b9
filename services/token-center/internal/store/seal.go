package store

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// StorageKeySize is the length of a storage key in bytes: AES-256.
const StorageKeySize = 32

// The forms in which a value is stored. The prefix says which, so that a change of settings is noticed.
const (
	plainPrefix  = "plain:"
	sealedPrefix = "aes256gcm:"
)

// Sealer protects values at rest. The zero Sealer stores them in plain text.
type Sealer struct {
	// aeads has one for each key; the first seals.
	aeads []cipher.AEAD
}

// NewSealer returns a Sealer that seals with key and opens what was sealed with key or one of others: the
// former key, or the next one, while keys are being changed. A key has StorageKeySize bytes.
func NewSealer(key []byte, others ...[]byte) (Sealer, error) {
	var s Sealer
	for _, k := range append([][]byte{key}, others...) {
		aead, err := newAEAD(k)
		if err != nil {
			return Sealer{}, err
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != StorageKeySize {
		return nil, fmt.Errorf("storage key: %d bytes long, AES-256 needs %d", len(key), StorageKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("storage key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("storage key: %w", err)
	}
	return aead, nil
}

// Enabled reports whether values are encrypted.
func (s Sealer) Enabled() bool { return len(s.aeads) > 0 }

// seal returns the stored form of c's value. AppID, kind and generation are bound to it, so that a
// sealed value moved elsewhere in Redis cannot be opened.
func (s Sealer) seal(c credential.Credential) string {
	if !s.Enabled() {
		return plainPrefix + c.Value.Reveal()
	}
	// The AEAD takes a random nonce of its own and puts it in front.
	sealed := s.aeads[0].Seal(nil, nil, []byte(c.Value.Reveal()), associated(c)) //nolint:gosec // see above: no nonce is passed.
	return sealedPrefix + base64.StdEncoding.EncodeToString(sealed)
}

// open is the inverse of seal. With a key, a plain value is refused: whoever can write to Redis could
// otherwise slip in a token of their own.
func (s Sealer) open(c credential.Credential, stored string) (config.Secret, error) {
	if !s.Enabled() {
		plain, ok := strings.CutPrefix(stored, plainPrefix)
		if !ok || plain == "" {
			return config.Secret{}, fmt.Errorf("%w: it is not in plain text and TOKEN_CENTER_STORAGE_KEY_FILE is not set", ErrUnreadable)
		}
		return config.NewSecret(plain), nil
	}
	encoded, ok := strings.CutPrefix(stored, sealedPrefix)
	if !ok {
		return config.Secret{}, fmt.Errorf("%w: it is not sealed", ErrUnreadable)
	}
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return config.Secret{}, fmt.Errorf("%w: it is not base64", ErrUnreadable)
	}
	for _, aead := range s.aeads {
		if value, err := aead.Open(nil, nil, sealed, associated(c)); err == nil && len(value) > 0 {
			return config.NewSecret(string(value)), nil
		}
	}
	return config.Secret{}, fmt.Errorf("%w: it was sealed with another key or altered", ErrUnreadable)
}

func associated(c credential.Credential) []byte {
	return []byte(c.AppID + "|" + string(c.Kind) + "|" + strconv.FormatUint(uint64(c.Generation), 10))
}
