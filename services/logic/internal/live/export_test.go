package live

// Look lets a change take effect without Run's waiting.
func (r *Rules) Look() {
	for r.live.Look(r.changed) { //nolint:revive // it has to settle.
	}
}
