package rule

import (
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// reader reads the parts of a rule file.
type reader struct {
	*yamlfile.Reader

	// runtime is nil when the file is only checked.
	runtime *Runtime
	// rule is the name of the rule that is being read.
	rule string
	// replies are rules that come of parts of the one that is being read, and stand before it.
	replies []route.Rule
	// choiceLines are where the choices with a reply stand, by id.
	choiceLines map[string]int
	// answers are the names that .Answers has in the part of a dialogue that is being read.
	answers []string
}

// entry is one key of a mapping with its value.
type entry = yamlfile.Entry
