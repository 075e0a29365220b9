package refresh

import (
	"context"
	"errors"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
)

// Parent keeps the credential that a request carries; a Refresher is one.
type Parent interface {
	Get(ctx context.Context) (credential.Credential, error)
	Refresh(ctx context.Context, rejected credential.Rejected) (credential.Credential, error)
}

// Carrying makes a request that carries the parent's value. Where WeChat rejects the value
// (credential.ErrParentRejected) it is reported, and the request made once more with another: of all who
// notice, the first report renews the parent, and the others get its result.
func Carrying[T any](ctx context.Context, parent Parent, request func(ctx context.Context, value config.Secret) (T, error)) (T, error) {
	var none T
	c, err := parent.Get(ctx)
	if err != nil {
		return none, err
	}
	got, err := request(ctx, c.Value)
	if !errors.Is(err, credential.ErrParentRejected) {
		return got, err
	}
	if c, err = parent.Refresh(ctx, credential.Rejected{Generation: c.Generation}); err != nil {
		return none, err
	}
	return request(ctx, c.Value)
}
