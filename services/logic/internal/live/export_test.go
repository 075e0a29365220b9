package live

// Look lets a change take effect without Run's waiting.
func (r *Rules) Look() { r.live.Look(r.changed) }
