package credential

import (
	"time"

	"github.com/wxstack/wxstack/chassis/config"
)

// Request is what an issuer is asked for.
type Request struct {
	// Force asks for another value although the present one is alive, which dies at once. Only some
	// interfaces know that.
	Force bool
	// Parent is the credential that the request carries, where its kind has a parent.
	Parent config.Secret
}

// Issued is what WeChat answered: a value and how long it lives from the moment it was asked for.
type Issued struct {
	Value config.Secret
	Life  time.Duration
}
