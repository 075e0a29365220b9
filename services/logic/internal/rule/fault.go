package rule

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong in a rule file.
type Fault struct {
	// Line and Column count from 1.
	Line, Column int
	// Rule is the name of the rule, empty when it has none yet or when the fault is outside of rules.
	Rule string
	// Reason says what is wrong and how to mend it.
	Reason string
}

// InvalidError says everything that is wrong in a rule file, in the order of the file.
type InvalidError struct {
	File   string
	Faults []Fault
}

// maxShownFaults keeps the message readable when one slip makes the whole file wrong.
const maxShownFaults = 10

// Error is one line for each fault: file:line:column: rule "name": reason.
func (e *InvalidError) Error() string {
	var text strings.Builder
	for i, fault := range e.Faults {
		if i > 0 {
			text.WriteByte('\n')
		}
		if i == maxShownFaults {
			fmt.Fprintf(&text, "%s: and %d more", e.File, len(e.Faults)-i)

			break
		}
		fmt.Fprintf(&text, "%s:%d:%d: ", e.File, fault.Line, fault.Column)
		if fault.Rule != "" {
			fmt.Fprintf(&text, "rule %q: ", fault.Rule)
		}
		text.WriteString(fault.Reason)
	}

	return text.String()
}
