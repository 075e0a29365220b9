package simulator

import "github.com/wxstack/wxstack/wechat/account"

// DefaultAppID is the AppID of DefaultAccount.
const DefaultAppID = account.DevelopmentAppID

// DefaultCallbackURL is where a gateway on the same machine receives the pushes of
// DefaultAccount.
const DefaultCallbackURL = "http://localhost:8080/wx/" + DefaultAppID

// DefaultAccount returns the development account of the whole stack. Its secrets
// are public: they are for local use only.
func DefaultAccount() Account {
	return Account{
		AppID:          account.DevelopmentAppID,
		OriginalID:     account.DevelopmentOriginalID,
		CallbackToken:  account.DevelopmentCallbackToken,
		EncodingAESKey: account.DevelopmentEncodingAESKey,
		AppSecret:      account.DevelopmentAppSecret,
		Mode:           ModeCompatible,
		CallbackURL:    DefaultCallbackURL,
	}
}
