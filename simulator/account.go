package simulator

import "fmt"

// maxAccounts is how many accounts a platform has at most.
const maxAccounts = 1000

// SetAccount adds an account, or changes how one is configured: its followers, tokens and all that happened stay. The
// kind of an account can't change.
func (p *Platform) SetAccount(account Account) error {
	opened, err := openAccount(account)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.state.accounts[account.AppID]
	switch {
	case ok && known.Kind != account.Kind:
		return fmt.Errorf("%w: account %q is of kind %q, which can't change", ErrInvalid, account.AppID, known.Kind)
	case ok:
		if known.Test != account.Test {
			known.calls.LimitAs(account.Test)
		}
		known.Account, known.cipher = opened.Account, opened.cipher
		known.tokens.Life = opened.TokenLife
	case len(p.state.order) >= maxAccounts:
		return fmt.Errorf("%w: there are %d accounts, which is the simulator's limit", ErrInvalid, maxAccounts)
	default:
		p.state.add(opened)
		opened.forget(p.state.clock.now())
	}
	p.state.hub.publish(topicState)

	return nil
}

// add makes an account known.
func (s *state) add(account *accountState) {
	s.accounts[account.AppID] = account
	s.order = append(s.order, account.AppID)
}

// accountOf returns the configuration of an account, or one with nothing but the AppID.
func (p *Platform) accountOf(appID string) Account {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.state.accounts[appID]; ok {
		return known.Account
	}

	return Account{AppID: appID}
}

// accountSettings is the body of POST /sim/v1/accounts.
type accountSettings struct {
	AppID          string       `json:"app_id"`
	Kind           *AccountKind `json:"kind"`
	OriginalID     *string      `json:"original_id"`
	CallbackToken  *string      `json:"callback_token"`
	EncodingAESKey *string      `json:"encoding_aes_key"`
	AppSecret      *string      `json:"app_secret"`
	Mode           *Mode        `json:"mode"`
	Format         *Format      `json:"format"`
	CallbackURL    *string      `json:"callback_url"`
	MessageURL     *string      `json:"message_url"`
	Test           *bool        `json:"test"`
	Subscription   *bool        `json:"subscription"`
}

// over returns the account with the settings that were given.
func (s accountSettings) over(account Account) Account {
	set(&account.Kind, s.Kind)
	set(&account.OriginalID, s.OriginalID)
	set(&account.CallbackToken, s.CallbackToken)
	set(&account.EncodingAESKey, s.EncodingAESKey)
	set(&account.AppSecret, s.AppSecret)
	set(&account.Mode, s.Mode)
	set(&account.Format, s.Format)
	set(&account.CallbackURL, s.CallbackURL)
	set(&account.MessageURL, s.MessageURL)
	set(&account.Test, s.Test)
	set(&account.Subscription, s.Subscription)

	return account
}

func set[T any](into, given *T) {
	if given != nil {
		*into = *given
	}
}
