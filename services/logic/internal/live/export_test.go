package live

import "context"

// Follow is Run without the notices of the operating system, which do not reach into a bubble.
func (r *Rules) Follow(ctx context.Context, changed <-chan struct{}) { r.follow(ctx, changed) }
