package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
)

// ParseAccounts reads accounts from a file, a list in YAML or JSON of what POST /sim/v1/accounts takes. What an entry lacks
// is that of DefaultAccount, but for the AppID, which each must have, and the callback URL.
func ParseAccounts(data []byte) (accounts []Account, err error) {
	defer func() {
		if problem := recover(); problem != nil { // The reader of YAML panics on some tags.
			err = fmt.Errorf("%w: the file isn't YAML: %v", ErrInvalid, problem)
		}
	}()
	converted, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%w: the file isn't YAML: %w", ErrInvalid, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(converted))
	decoder.DisallowUnknownFields()
	var entries []accountSettings
	if err := decoder.Decode(&entries); err != nil {
		return nil, fmt.Errorf("%w: the file must be a list of accounts: %w", ErrInvalid, err)
	}
	for number, entry := range entries {
		account := DefaultAccount()
		account.AppID, account.CallbackURL = entry.AppID, ""
		account = entry.over(account)
		if _, err := openAccount(account); err != nil {
			return nil, fmt.Errorf("entry %d: %w", number+1, err)
		}
		accounts = append(accounts, account)
	}
	if len(accounts) == 0 {
		return nil, fmt.Errorf("%w: the file has no account", ErrInvalid)
	}

	return accounts, nil
}
