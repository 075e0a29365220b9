package rule

import (
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// reader reads the parts of a rule file.
type reader struct {
	*yamlfile.Reader

	// runtime is nil when the file is only checked.
	runtime *Runtime
	// rule is the name of the rule that is being read.
	rule string
}

// entry is one key of a mapping with its value.
type entry = yamlfile.Entry
