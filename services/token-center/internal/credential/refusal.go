package credential

import (
	"fmt"

	"github.com/wxstack/wxstack/wechat/errcode"
)

// RefusalError is WeChat's verdict on a request for a credential, for those who decide by its code. It stands
// in the chain of the fault that the issuer returns.
type RefusalError struct {
	Code errcode.Code
	// Message is WeChat's errmsg, cleaned and without a secret.
	Message string
}

// Error implements error.
func (r *RefusalError) Error() string { return fmt.Sprintf("errcode %d", r.Code) }
