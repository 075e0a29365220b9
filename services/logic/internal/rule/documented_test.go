package rule_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

// yamlBlock is an example in a page, as it stands or as a shell writes it into rules.yaml.
var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```|cat > rules.yaml <<'EOF'\n(.*?)EOF\n")

// TestDocumentedRulesAreValid loads the examples of the pages that show rules: whole files, and rules by themselves.
func TestDocumentedRulesAreValid(t *testing.T) {
	t.Parallel()
	for page, least := range map[string]int{
		"docs/rules.md": 4, "docs/assistant.md": 1, "docs/forward.md": 1, "README.md": 1, "services/logic/README.md": 1,
	} {
		text, err := os.ReadFile("../../../../" + page)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, block := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			file := block[1] + block[2]
			switch {
			case strings.HasPrefix(file, "- name:"):
				file = "rules:\n" + file
			case !strings.Contains(file, "rules:"):
				continue
			}
			checked++
			if _, err := rule.Load(page, []byte(file), nil); err != nil {
				t.Errorf("%v\n%s", err, file)
			}
		}
		if checked < least {
			t.Errorf("%s: %d examples were found, want %d", page, checked, least)
		}
	}
}
