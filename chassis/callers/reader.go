package callers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
)

// Proof is the part of an entry that says who the caller is. A key or a certificate proves it; with both,
// either does. An entry embeds it inline.
type Proof struct {
	// Name is what logs and metrics call the caller.
	Name string `yaml:"name"`
	// KeyFile holds the key that it sends.
	KeyFile string `yaml:"key_file"`
	// PreviousKeyFile holds a key that is accepted as well, during a rotation.
	PreviousKeyFile string `yaml:"previous_key_file"`
	// Certificate is a DNS name or URI that its certificate is issued for, or its common name.
	Certificate string `yaml:"certificate"`
}

// minKey is what a key that nobody can guess has at least; openssl rand -hex 32 has twice as much.
const minKey = 32

// Reader reads one callers file into a Directory, and collects everything that is wrong with it.
type Reader[C any] struct {
	files     *config.Files
	path      string
	data      []byte
	faults    []error
	directory Directory[C]
}

// Read decodes the file at path into target, a pointer to the service's form of a callers file. The Reader
// then takes its entries one by one.
func Read[C any](files *config.Files, place Place, path string, target any) (*Reader[C], error) {
	data, err := files.Read(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place.Setting, err)
	}
	if err := config.DecodeYAML(path, data, target); err != nil {
		return nil, fmt.Errorf("%s: %w", place.Setting, err)
	}
	return &Reader[C]{files: files, path: path, data: data, directory: Directory[C]{place: place}}, nil
}

// Faultf says what is wrong at a place such as callers[1].name.
func (r *Reader[C]) Faultf(place, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s:%d: %s: %s",
		r.directory.place.Setting, r.path, config.Line(r.data, place), place, fmt.Sprintf(format, args...)))
}

// Take adds the caller of the entry at a place, with its proofs.
func (r *Reader[C]) Take(place string, proof Proof, caller C) {
	earlier := r.directory.callers
	switch {
	case strings.TrimSpace(proof.Name) == "":
		r.Faultf(place+".name", "not set; it is what logs and metrics call the caller")
	case slices.ContainsFunc(earlier, func(other proven[C]) bool { return other.name == proof.Name }):
		r.Faultf(place+".name", "%q is also that of an earlier caller", proof.Name)
	}
	if proof.KeyFile == "" && proof.Certificate == "" {
		r.Faultf(place, "neither key_file nor certificate is set; one has to prove who calls (a key: openssl rand -hex 32)")
	}
	if proof.KeyFile == "" && proof.PreviousKeyFile != "" {
		r.Faultf(place+".previous_key_file", "is set, but key_file is not")
	}
	if proof.Certificate != "" && slices.ContainsFunc(earlier, func(other proven[C]) bool { return other.certificate == proof.Certificate }) {
		r.Faultf(place+".certificate", "%q is also that of an earlier caller", proof.Certificate)
	}
	r.directory.callers = append(r.directory.callers, proven[C]{
		caller: caller, name: proof.Name, certificate: proof.Certificate, keys: r.keys(place, proof),
	})
}

func (r *Reader[C]) keys(place string, proof Proof) []hashed {
	var keys []hashed
	for _, source := range []struct{ name, path string }{{"key_file", proof.KeyFile}, {"previous_key_file", proof.PreviousKeyFile}} {
		if source.path == "" {
			continue
		}
		at := place + "." + source.name
		key, err := r.files.ReadSecret("the key", source.path)
		if err != nil {
			r.Faultf(at, "%v", err)
			continue
		}
		if len(key.Reveal()) < minKey {
			r.Faultf(at, "the key is shorter than %d characters; make one with: openssl rand -hex 32", minKey)
		}
		sum := hash(key)
		if slices.ContainsFunc(r.directory.callers, func(other proven[C]) bool { return slices.Contains(other.keys, sum) }) {
			r.Faultf(at, "the key is also that of an earlier caller, so nobody could tell the two apart")
		}
		keys = append(keys, sum)
	}
	return keys
}

// Directory returns the callers that were taken, or everything that is wrong, each with its line.
func (r *Reader[C]) Directory() (*Directory[C], error) {
	if len(r.directory.callers) == 0 {
		r.Faultf("callers", "the list is empty, so nobody could call; add a caller, or leave %s empty to let everybody call", r.directory.place.Setting)
	}
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	return &r.directory, nil
}

// Everything is the word for all there are, where a list of names could stand.
const Everything = "*"

// Names is a list of names in YAML, or one name alone. Everything among them means all there are.
type Names []string

// UnmarshalYAML implements the decoder's interface.
func (n *Names) UnmarshalYAML(decode func(any) error) error {
	var one string
	if err := decode(&one); err == nil {
		*n = Names{one}
		return nil
	}
	var many []string
	if err := decode(&many); err != nil {
		return fmt.Errorf("neither a list of names nor %q", Everything)
	}
	*n = many
	return nil
}

// All reports whether everything is meant.
func (n Names) All() bool { return slices.Contains(n, Everything) }

// Has reports whether a name is meant.
func (n Names) Has(name string) bool { return n.All() || slices.Contains(n, name) }
