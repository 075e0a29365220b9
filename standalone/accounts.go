package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/wechat/account"
)

// loadAccounts reads the accounts file as the simulator needs it: with every secret, because it plays
// the other side.
func loadAccounts(path string) ([]simulator.Account, error) {
	var file account.File
	if err := config.ReadYAML(path, &file); err != nil {
		return nil, err
	}
	file.ApplyDefaults()
	if err := file.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []simulator.Account
	var errs []error
	for _, a := range file.Accounts {
		one, err := simulated(a)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: account %s: %w", path, a.AppID, err))
		}
		all = append(all, one)
	}
	return all, errors.Join(errs...)
}

func simulated(a account.Account) (simulator.Account, error) {
	token, errToken := config.ReadSecret("callback_token_file", a.CallbackTokenFile)
	secret, errSecret := config.ReadSecret("app_secret_file", a.AppSecretFile)
	var key config.Secret
	var errKey error
	if a.Encryption != account.EncryptionPlain {
		key, errKey = config.ReadSecret("encoding_aes_key_file", a.EncodingAESKeyFile)
	}
	return simulator.Account{
		AppID: a.AppID, OriginalID: a.OriginalID, Mode: simulator.Mode(a.Encryption),
		CallbackToken: token.Reveal(), EncodingAESKey: key.Reveal(), AppSecret: secret.Reveal(),
	}, errors.Join(errToken, errSecret, errKey)
}

// writeStorageKey writes a new key that encrypts tokens in a Redis that lives no longer than the key.
func writeStorageKey(dir string) (string, error) {
	const keyBytes = 32
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return "", fmt.Errorf("storage key: %w", err)
	}
	path := filepath.Join(dir, "storage_key")
	if err := os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		return "", fmt.Errorf("storage key: %w", err)
	}
	return path, nil
}

// writeDevelopmentAccount writes the development account and its public secrets below dir, as files,
// because that is the only way in which the services take secrets. It returns the accounts file.
func writeDevelopmentAccount(dir string) (string, error) {
	accounts := fmt.Sprintf(`accounts:
  - app_id: %s
    original_id: %s
    encryption: compatible
    callback_token_file: %q
    encoding_aes_key_file: %q
    app_secret_file: %q
`, account.DevelopmentAppID, account.DevelopmentOriginalID,
		filepath.Join(dir, "callback_token"), filepath.Join(dir, "encoding_aes_key"), filepath.Join(dir, "app_secret"))
	for name, content := range map[string]string{
		"callback_token":   account.DevelopmentCallbackToken,
		"encoding_aes_key": account.DevelopmentEncodingAESKey,
		"app_secret":       account.DevelopmentAppSecret,
		"accounts.yaml":    accounts,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return "", fmt.Errorf("development account: %w", err)
		}
	}
	return filepath.Join(dir, "accounts.yaml"), nil
}
