package assistant

// Drafted is what a follower may see of an answer that came in these pieces.
func Drafted(pieces ...string) string {
	var d draft
	for _, piece := range pieces {
		d.add(piece)
	}

	return d.answer()
}
