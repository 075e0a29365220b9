package yamlfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// shelf is a file with a list of books, each with a title and other words.
func shelf(seen *[]string) func(*yamlfile.Reader, ast.Node) {
	return func(r *yamlfile.Reader, root ast.Node) {
		r.Mapping(root, "the file", map[string]func(yamlfile.Entry){
			"books": func(e yamlfile.Entry) {
				nodes, _ := r.List(e, "books")
				for i, node := range nodes {
					r.Subject = fmt.Sprintf("book %d", i+1)
					found, _ := r.Mapping(node, "a book", map[string]func(yamlfile.Entry){
						"title": func(e yamlfile.Entry) {
							if title, ok := r.Text(e, "title"); ok {
								*seen = append(*seen, title)
							}
						},
						"words": func(e yamlfile.Entry) {
							for _, word := range r.Texts(e, "words") {
								*seen = append(*seen, word.Text)
							}
						},
					})
					r.Require(yamlfile.Entry{Key: node, Value: node}, found, "a book", "title")
				}
			},
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file string
		seen string
		want []string
	}{
		"right":           {"books:\n  - {title: a, words: [1, 0x2, true]}\n  - title: |\n      b\n    words: c\n", "a 1 0x2 true b\n c", nil},
		"aliases":         {"books:\n  - {title: &t !!str a}\n  - {title: *t}\n", "a a", nil},
		"begins with ---": {"---\nbooks: [{title: a}]\n", "a", nil},
		"empty":           {"", "", []string{"f:1:1: the file is empty; it needs the key books"}},
		"second document": {"books: []\n---\nbooks: []\n", "", []string{"f:2:1: a second document begins here"}},
		"tab":             {"books:\n\t- a\n", "", []string{"f: [2:", "never tabs"}},
		"key twice":       {"books: []\nbooks: []\n", "", []string{"f: [2:1]", "already defined"}},
		"unknown key":     {"boks: []\n", "", []string{`f:1:1: unknown key "boks" in the file; did you mean "books"?`}},
		"no list":         {"books: 1\n", "", []string{`f:1:1: books must be a list, each entry on a line that begins with "- ", not "1"`}},
		"no mapping":      {"books:\n  - [a]\n", "", []string{"f:2:5: book 1: a book must be a mapping with the keys title, words, not a list"}},
		"missing":         {"books:\n  - {words: a}\n", "a", []string{"f:2:", "book 1: a book has no title, which WeChat requires"}},
		"empty text":      {"books:\n  - title: ' '\n", "", []string{"f:2:5: book 1: title is empty; give it a value or remove the key"}},
		"no text":         {"books:\n  - title: {a: b}\n", "", []string{"book 1: title must be a text, not a mapping"}},
		"nothing":         {"books:\n  - title:\n", "", []string{"title must be a text, not nothing"}},
		"empty list":      {"books:\n  - {title: a, words: []}\n", "a", []string{"words is an empty list"}},
		"all at once":     {"boks: []\nbooks:\n  - {tile: a}\n", "", []string{"f:1:1:", `f:3:6: book 1: unknown key "tile" in a book; did you mean "title"?`, "has no title"}},
		"unknown alias":   {"books: *b\n", "", []string{"f"}},
		"alias of itself": {"books: &b\n  - title: *b\n", "", []string{"f"}},
		"more than shown": {"books: [" + strings.Repeat("1, ", 12) + "]\n", "", []string{"\nf: and 2 more"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []string
			err := yamlfile.Read("f", []byte(test.file), "the key books", shelf(&seen))
			if got := strings.Join(seen, " "); strings.TrimSpace(got) != test.seen {
				t.Errorf("saw %q, want %q", got, test.seen)
			}
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestFaultsComeInTheOrderOfTheFile(t *testing.T) {
	t.Parallel()
	err := yamlfile.Read("f", []byte("a: 1\nb: 2\n"), "a", func(r *yamlfile.Reader, root ast.Node) {
		pairs := root.(ast.MapNode).MapRange()
		pairs.Next()
		first := pairs.Key()
		pairs.Next()
		if r.Faults() != 0 {
			t.Error("faults before any")
		}
		r.Faultf(pairs.Key(), "second")
		r.Faultf(first, "first")
		if remark := r.Remark(first, "by the way"); r.Faults() != 2 || remark.In("f") != "f:1:1: by the way" {
			t.Errorf("%d faults, remark %q", r.Faults(), remark.In("f"))
		}
	})
	var invalid *yamlfile.InvalidError
	if !errors.As(err, &invalid) || err.Error() != "f:1:1: first\nf:2:1: second" {
		t.Errorf("error = %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("books: &a\n  - {title: *a, words: [1, !!str 2, |\n x]}\n---\n"))
	f.Add([]byte("{{{[[[&&&***|>\t: - ? !"))
	f.Add([]byte("books: [{<<: {title: a}}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var seen []string
		err := yamlfile.Read("f", data, "the key books", shelf(&seen))
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}
