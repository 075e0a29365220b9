// Package accounts holds the Official Accounts (公众号) that a gateway serves, with the secrets by which
// it knows WeChat: the callback Token (令牌) and the EncodingAESKey (消息加解密密钥).
package accounts

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// Account is one account, ready to verify, open and seal. It is safe for concurrent use.
type Account struct {
	// AppID is the account's id in APIs and in the callback URL.
	AppID string
	// Encryption is the mode (消息加解密方式) that the console shows for the account.
	Encryption account.Encryption
	// LateAnswer says what becomes of an answer that comes after the last delivery.
	LateAnswer account.LateAnswer

	// tokens holds the current callback Token and, during a rotation, the previous one.
	tokens []config.Secret
	// ciphers holds every pair of Token and EncodingAESKey that is accepted, the current pair first.
	ciphers []*msgcrypt.Cipher
}

// Verify reports whether sign is the signature over timestamp and nonce, the query parameters of every
// request of WeChat's, under the current Token or the previous one.
func (a *Account) Verify(sign, timestamp, nonce string) bool {
	return slices.ContainsFunc(a.tokens, func(token config.Secret) bool {
		return signature.Verify(sign, token.Reveal(), timestamp, nonce)
	})
}

// Open verifies and decrypts a push (see msgcrypt.Cipher.Open) and returns the Cipher that did it, with
// which the reply has to be sealed. Its error wraps msgcrypt.ErrSignature if no Token verifies; any
// other error means that the sender knows a Token but used an unknown EncodingAESKey or AppID.
func (a *Account) Open(sign, timestamp, nonce, encrypted string) ([]byte, *msgcrypt.Cipher, error) {
	refused := fmt.Errorf("account %s: %w: no encoding_aes_key_file is configured", a.AppID, msgcrypt.ErrSignature)
	for i, cipher := range a.ciphers {
		plaintext, err := cipher.Open(sign, timestamp, nonce, encrypted)
		if err == nil {
			return plaintext, cipher, nil
		}
		// Of several reasons the one that got furthest tells the most; the first is about the current pair.
		if i == 0 || errors.Is(refused, msgcrypt.ErrSignature) {
			refused = err
		}
	}
	return nil, nil, refused
}

// Directory finds accounts by AppID.
type Directory struct {
	accounts map[string]*Account
	only     *Account
}

// Find returns the account with that AppID.
func (d *Directory) Find(appID string) (*Account, bool) {
	a, ok := d.accounts[appID]
	return a, ok
}

// Only returns the account if there is exactly one.
func (d *Directory) Only() (*Account, bool) { return d.only, d.only != nil }

// AppIDs lists all accounts.
func (d *Directory) AppIDs() []string { return slices.Collect(maps.Keys(d.accounts)) }

// Load reads the accounts file and the secrets it names. In production the development account and its
// secrets, which everybody knows, are refused. The error tells everything that is wrong.
func Load(path string, production bool) (*Directory, error) {
	if path == "" {
		return nil, errors.New("WX_ACCOUNTS_FILE is not set: it names the YAML file that lists the Official Accounts (公众号) to serve")
	}
	var file account.File
	if err := config.ReadYAML(path, &file); err != nil {
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %w", err)
	}
	file.ApplyDefaults()
	if err := file.Validate(); err != nil {
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %s: %w", path, err)
	}
	if production {
		if err := file.RefuseDevelopment(); err != nil {
			return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %s: %w", path, err)
		}
	}
	d := &Directory{accounts: make(map[string]*Account, len(file.Accounts))}
	var faults []error
	for _, entry := range file.Accounts {
		a, err := open(entry, production)
		if err != nil {
			faults = append(faults, fmt.Errorf("WX_ACCOUNTS_FILE: %s: account %s: %w", path, entry.AppID, err))
			continue
		}
		d.accounts[a.AppID] = a
		d.only = a
	}
	if len(d.accounts) != 1 {
		d.only = nil
	}
	return d, errors.Join(faults...)
}

// open reads the secrets of one account.
func open(entry account.Account, production bool) (*Account, error) {
	tokens, err := secrets("callback_token_file", entry.CallbackTokenFile, entry.PreviousCallbackTokenFile)
	if err != nil {
		return nil, err
	}
	if production && slices.Contains(tokens, config.NewSecret(account.DevelopmentCallbackToken)) {
		return nil, errors.New("callback_token_file: it holds the development Token, which is public; " +
			"choose one of your own in the console (基本配置, 令牌)")
	}
	a := &Account{AppID: entry.AppID, Encryption: entry.Encryption, LateAnswer: entry.LateAnswer, tokens: tokens}
	if entry.Encryption == account.EncryptionPlain {
		return a, nil
	}
	keys, err := secrets("encoding_aes_key_file", entry.EncodingAESKeyFile, entry.PreviousEncodingAESKeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w (encryption is %s; plain needs none)", err, entry.Encryption)
	}
	for _, token := range tokens {
		for _, key := range keys {
			cipher, err := msgcrypt.New(entry.AppID, token.Reveal(), key.Reveal())
			if err != nil {
				return nil, fmt.Errorf("encoding_aes_key_file: %w", err)
			}
			a.ciphers = append(a.ciphers, cipher)
		}
	}
	return a, nil
}

// secrets reads the current secret and, if it is configured, the previous one.
func secrets(field, current, previous string) ([]config.Secret, error) {
	first, err := config.ReadSecret(field, current)
	if err != nil {
		return nil, err
	}
	if previous == "" {
		return []config.Secret{first}, nil
	}
	second, err := config.ReadSecret("previous_"+field, previous)
	if err != nil {
		return nil, err
	}
	return []config.Secret{first, second}, nil
}
