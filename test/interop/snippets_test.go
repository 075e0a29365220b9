package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/test/harness"
)

// What the documentation shows is what the tests run.
func TestTheDocumentationShowsWhatWasRun(t *testing.T) {
	root := harness.Root(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "sdks.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sdk := range []string{"silenceper", "chanxuehong"} {
		source, err := os.ReadFile(filepath.Join(root, "test", "interop", sdk+"_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?s)\t// snippet ` + sdk + `\n(.*?)\t// end\n`).FindSubmatch(source)
		if found == nil {
			t.Fatalf("%s: the marks are gone", sdk)
		}
		snippet := regexp.MustCompile(`(?m)^\t`).ReplaceAllString(string(found[1]), "")
		if !strings.Contains(string(page), "```go\n"+snippet+"```\n") {
			t.Errorf("docs/sdks.md does not show:\n%s", snippet)
		}
	}
}
