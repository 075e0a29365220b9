package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// FuzzDecode: whatever somebody writes into Redis is either a whole credential or ErrUnreadable.
func FuzzDecode(f *testing.F) {
	seal, err := NewSealer([]byte(strings.Repeat("k", StorageKeySize)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("1", "plain:token", "1700000000000", "1700007200000")
	f.Add("18446744073709551615", "aes256gcm:AAAA", "-1", "9223372036854775807")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, generation, value, obtained, expires string) {
		fields := map[string]string{
			fieldGeneration: generation, fieldValue: value, fieldObtainedAt: obtained, fieldExpiresAt: expires,
		}
		key := credential.Key{AppID: "wx1", Kind: credential.AccessToken}
		for _, s := range []Sealer{{}, seal} {
			c, err := NewRedis(nil, s).decode(key, fields)
			switch {
			case err == nil && (!c.Exists() || c.Value.Reveal() == ""):
				t.Errorf("half a credential: %v", c)
			case err != nil && (!errors.Is(err, ErrUnreadable) || c.Exists()):
				t.Errorf("decode = %v, %v", c, err)
			}
		}
	})
}
