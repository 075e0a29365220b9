package route

// Matches tries the conditions without the index, as the measure for it.
func (m *Match) Matches(q Query) (bool, error) {
	facts := factsOf(q)

	return m.matches(&facts)
}
