package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()

	got := split([]string{"go", "test", "a", "+", "go", "test", "b"})
	if len(got) != 2 || !slices.Equal(got[0], []string{"go", "test", "a"}) || !slices.Equal(got[1], []string{"go", "test", "b"}) {
		t.Errorf("split = %q", got)
	}

	if got := split([]string{"+"}); len(got) != 0 {
		t.Errorf("split of a lone separator = %q, want none", got)
	}
}

func TestWithJSON(t *testing.T) {
	t.Parallel()

	tests := map[string]string{
		"./...":               "test -json ./...",
		"-C dir -race ./...":  "test -C dir -json -race ./...",
		"-run -C ./... -C no": "test -json -run -C ./... -C no",
	}
	for args, want := range tests {
		if got := strings.Join(withJSON(strings.Fields(args)), " "); got != want {
			t.Errorf("withJSON(%s) = %s, want %s", args, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		events string
		want   string
		shows  string
	}{
		"a parent is not counted beside its subtests": {
			events: `{"Action":"run","Package":"p","Test":"A"}
{"Action":"run","Package":"p","Test":"A/one"}
{"Action":"run","Package":"p","Test":"A/two"}
{"Action":"pass","Package":"p","Test":"A/one"}
{"Action":"fail","Package":"p","Test":"A/two"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}`,
			want:  "1 passed, 1 failed, 0 skipped",
			shows: "FAIL p A/two",
		},
		"a parent that fails by itself counts": {
			events: `{"Action":"run","Package":"p","Test":"A/one"}
{"Action":"pass","Package":"p","Test":"A/one"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}`,
			want:  "1 passed, 1 failed, 0 skipped",
			shows: "FAIL p A\n",
		},
		"a package that does not build is one failure": {
			events: `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: syntax error\n"}
{"Action":"output","Package":"p","Output":"FAIL p [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			want:  "0 passed, 1 failed, 0 skipped",
			shows: "syntax error",
		},
		"a skip shows its reason": {
			events: `{"Action":"run","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"A","Output":"=== RUN   A\n"}
{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:3: no redis-server\n"}
{"Action":"output","Package":"p","Test":"A","Output":"--- SKIP: A (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"A"}
{"Action":"pass","Package":"p"}`,
			want:  "0 passed, 0 failed, 1 skipped",
			shows: "SKIP p A: a_test.go:3: no redis-server",
		},
		"a line that is no event is shown": {
			events: "go: cannot find main module",
			want:   "0 passed, 0 failed, 0 skipped",
			shows:  "cannot find main module",
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var out bytes.Buffer

			tally := newTally(&out)
			if err := tally.read(strings.NewReader(tt.events)); err != nil {
				t.Fatal(err)
			}

			tally.summary(false)

			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != tt.want {
				t.Errorf("last line = %q, want %q", got, tt.want)
			}

			if !strings.Contains(out.String(), tt.shows) {
				t.Errorf("output lacks %q:\n%s", tt.shows, out.String())
			}
		})
	}
}

func TestRunRefusesOtherCommands(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer

	if failed, err := run(t.Context(), []string{"go", "vet"}, &out, &out); err == nil || !failed {
		t.Errorf("run(go vet) = %v, %v; want an error", failed, err)
	}

	if failed, err := run(t.Context(), nil, &out, &out); err == nil || !failed {
		t.Errorf("run() = %v, %v; want an error", failed, err)
	}
}
