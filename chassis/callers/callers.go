// Package callers knows who calls a service: the callers file, and the proof that a call brings. What a
// caller may do is the service's own affair, which is why its type is a parameter.
package callers

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
)

// Place is what people are told about a callers file.
type Place struct {
	// Service has the file, such as token-center.
	Service string
	// Setting names the file, such as WX_CALLERS_FILE.
	Setting string
	// Show says how a call that brings nothing can show who makes it.
	Show string
}

// Directory finds callers by what proves who they are. It does not change once it is read. C is what the
// service knows of a caller.
type Directory[C any] struct {
	place   Place
	callers []proven[C]
}

// proven is a caller with its proofs.
type proven[C any] struct {
	caller C
	name   string
	// keys are hashed, so that comparing takes the same time however much of a guess is right, and however
	// long it is. The current one is the first.
	keys        []hashed
	certificate string
}

type hashed [sha256.Size]byte

func hash(key config.Secret) hashed { return sha256.Sum256([]byte(key.Reveal())) }

// Identify returns who a call comes from. A key counts more than a certificate, so a wrong one is never
// overlooked. Its error is a fault that names the remedy.
func (d *Directory[C]) Identify(from rpc.Caller) (C, error) {
	if from.Key != (config.Secret{}) {
		return d.byKey(from.Key)
	}
	for _, c := range d.callers {
		if c.certificate != "" && slices.Contains(from.Names, c.certificate) {
			return c.caller, nil
		}
	}
	var nobody C
	if len(from.Names) > 0 {
		return nobody, fault.New(fault.Unauthenticated,
			"none of the certificate's names (%s) is in the callers file of %s (%s); add one as certificate of a caller, or send a caller key",
			strings.Join(from.Names, ", "), d.place.Service, d.place.Setting)
	}
	return nobody, fault.New(fault.Unauthenticated, "%s does not know who calls; %s", d.place.Service, d.place.Show)
}

// byKey compares with every key, so that the time does not tell which one it is.
func (d *Directory[C]) byKey(key config.Secret) (C, error) {
	sum, found := hash(key), -1
	for i, c := range d.callers {
		for _, known := range c.keys {
			if subtle.ConstantTimeCompare(sum[:], known[:]) == 1 {
				found = i
			}
		}
	}
	if found < 0 {
		var nobody C
		return nobody, fault.New(fault.Unauthenticated,
			"the caller key is none of those in the callers file of %s (%s); compare it with the file that key_file names there",
			d.place.Service, d.place.Setting)
	}
	return d.callers[found].caller, nil
}

// Sign signs a text with the key of the caller of that name, so that Verify knows it again on every replica
// that reads the same file. It reports false for a caller without a key.
func (d *Directory[C]) Sign(name string, text []byte) ([]byte, bool) {
	if c := d.find(name); c != nil && len(c.keys) > 0 {
		return sign(c.keys[0], text), true
	}
	return nil, false
}

// Verify returns the caller of that name if the signature of the text was made with one of its keys. During a
// rotation that may be the previous one.
func (d *Directory[C]) Verify(name string, text, signature []byte) (C, bool) {
	if c := d.find(name); c != nil {
		for _, key := range c.keys {
			if hmac.Equal(sign(key, text), signature) {
				return c.caller, true
			}
		}
	}
	var nobody C
	return nobody, false
}

func sign(key hashed, text []byte) []byte {
	mac := hmac.New(sha256.New, key[:])
	_, _ = mac.Write(text) // a hash never fails.
	return mac.Sum(nil)
}

func (d *Directory[C]) find(name string) *proven[C] {
	for i := range d.callers {
		if d.callers[i].name == name {
			return &d.callers[i]
		}
	}
	return nil
}
