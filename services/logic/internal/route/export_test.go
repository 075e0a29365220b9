package route

import messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

// Matches tries the conditions without the index, as the measure for it.
func (m *Match) Matches(msg *messagev1.Message) bool {
	facts := factsOf(msg)

	return m.matches(&facts)
}
