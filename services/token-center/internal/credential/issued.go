package credential

import (
	"time"

	"github.com/wxstack/wxstack/chassis/config"
)

// Issued is what WeChat answered: a value and how long it lives from the moment it was asked for.
type Issued struct {
	Value config.Secret
	Life  time.Duration
}
