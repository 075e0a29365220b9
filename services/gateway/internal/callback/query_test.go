package callback

import (
	"net/url"
	"testing"
)

// FuzzQuery compares the reading of a query with that of net/url.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "&", "=", "signature=a&timestamp=1&nonce=2&encrypt_type=aes&msg_signature=b", "signature=a&signature=b", "signature&signature=b",
		"signature=a;b&nonce=2", "n%6fnce=2", "nonce=%zz&nonce=3", "nonce=a+b%20c", "encrypt_type=AES", "signature==a", "%=a&nonce=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		want := credentials{
			signature: values.Get("signature"), msgSignature: values.Get("msg_signature"), timestamp: values.Get("timestamp"),
			nonce: values.Get("nonce"), encrypted: values.Get("encrypt_type") == "aes",
		}
		if got := credentialsOf(query); got != want {
			t.Errorf("%q: %+v, want %+v", query, got, want)
		}
	})
}
