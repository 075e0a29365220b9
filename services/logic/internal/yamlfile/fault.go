package yamlfile

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong in a file.
type Fault struct {
	// Line and Column count from 1.
	Line, Column int
	// Subject is the part of the file that it concerns, such as rule "help"; empty outside of them.
	Subject string
	// Reason says what is wrong and how to mend it.
	Reason string
}

// In is a line about the fault in a file of that name: file:line:column: subject: reason.
func (f Fault) In(file string) string {
	place := fmt.Sprintf("%s:%d:%d: ", file, f.Line, f.Column)
	if f.Subject != "" {
		place += f.Subject + ": "
	}

	return place + f.Reason
}

// InvalidError says everything that is wrong in a file, in the order of the file.
type InvalidError struct {
	File   string
	Faults []Fault
}

// maxShownFaults keeps the message readable when one slip makes the whole file wrong.
const maxShownFaults = 10

// Error is one line for each fault.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, maxShownFaults+1)
	for i, fault := range e.Faults {
		if i == maxShownFaults {
			lines = append(lines, fmt.Sprintf("%s: and %d more", e.File, len(e.Faults)-i))

			break
		}
		lines = append(lines, fault.In(e.File))
	}

	return strings.Join(lines, "\n")
}
