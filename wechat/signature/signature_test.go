package signature_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/wechat/signature"
)

// TestSignVectors pins the package to the signatures of the platform's own
// worked examples.
func TestSignVectors(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		parts []string
		want  string
	}{
		"url verification": {
			parts: []string{"AAAAA", "1714036504", "1514711492"},
			want:  "f464b24fc39322e44b38aa78f5edd27bd1441696",
		},
		"plaintext push": {
			parts: []string{"AAAAA", "1714037059", "486452656"},
			want:  "899cf89e464efb63f54ddac96b0a0a235f53aa78",
		},
		"encrypted push, three parts": {
			parts: []string{"AAAAA", "1714112445", "415670741"},
			want:  "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
		},
		"third-party push": {
			parts: []string{"AAAAA", "1715943329", "1590219412"},
			want:  "cc0c594499c1634947d5b502f158ee518947db27",
		},
		"longer token": {
			parts: []string{"myToken123", "1700000000", "1320562132"},
			want:  "bddf4bd0c9a33f06751f066fe97937e6c53b9747",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := signature.Sign(test.parts...); got != test.want {
				t.Errorf("Sign(%q) = %s, want %s", test.parts, got, test.want)
			}
			reversed := slices.Clone(test.parts)
			slices.Reverse(reversed)
			if got := signature.Sign(reversed...); got != test.want {
				t.Errorf("Sign depends on the order of its parts: got %s, want %s", got, test.want)
			}
			if !signature.Verify(test.want, test.parts...) {
				t.Errorf("Verify(%s, %q) = false", test.want, test.parts)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()

	const valid = "f464b24fc39322e44b38aa78f5edd27bd1441696"
	parts := []string{"AAAAA", "1714036504", "1514711492"}
	tests := map[string]struct {
		signature string
		parts     []string
	}{
		"empty":         {"", parts},
		"cut":           {valid[:39], parts},
		"extended":      {valid + "0", parts},
		"upper case":    {strings.ToUpper(valid), parts},
		"last digit":    {valid[:39] + "7", parts},
		"other token":   {valid, []string{"BBBBB", "1714036504", "1514711492"}},
		"other time":    {valid, []string{"AAAAA", "1714036505", "1514711492"}},
		"missing nonce": {valid, parts[:2]},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if signature.Verify(test.signature, test.parts...) {
				t.Errorf("Verify(%q, %q) = true, want false", test.signature, test.parts)
			}
		})
	}
}

// TestSignKeepsArguments matters because callers pass slices they go on using.
func TestSignKeepsArguments(t *testing.T) {
	t.Parallel()

	parts := []string{"c", "a", "b"}
	signature.Sign(parts...)
	if want := []string{"c", "a", "b"}; !slices.Equal(parts, want) {
		t.Errorf("Sign reordered its arguments to %q, want %q", parts, want)
	}
}
