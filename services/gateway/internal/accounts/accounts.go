// Package accounts holds the Official Accounts (公众号) that a gateway serves, with the secrets by which
// it knows WeChat: the callback Token (令牌) and the EncodingAESKey (消息加解密密钥).
package accounts

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// Account is one account, ready to verify, open and seal. It is safe for concurrent use.
type Account struct {
	// AppID is the account's id in APIs and in the callback URL.
	AppID string
	// OriginalID (原始ID, gh_…) is the account's id in pushes, their ToUserName.
	OriginalID string
	// Encryption is the mode (消息加解密方式) that the console shows for the account.
	Encryption account.Encryption
	// LateAnswer says what becomes of an answer that comes after the last delivery.
	LateAnswer account.LateAnswer

	kind account.Kind
	// tokens holds the current callback Token and, during a rotation, the previous one.
	tokens []config.Secret
	// ciphers holds every pair of Token and EncodingAESKey that is accepted, the current pair first.
	ciphers []*msgcrypt.Cipher
}

// SendsCustomerService reports whether the account may have the right to customer-service messages (客服消息). A
// service account (服务号) has it once it is verified (微信认证); of a subscription account (订阅号) its policy for
// late answers tells. Those of mini programs follow rules of their own, and platforms have no followers.
func (a *Account) SendsCustomerService() bool {
	switch a.kind { //nolint:exhaustive // see above.
	case account.KindService:
		return true
	case account.KindSubscription:
		return a.LateAnswer.Policy == account.LateAnswerCustomerService
	}
	return false
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

// Directory finds accounts. It never changes: a request goes on with the one it began with.
type Directory struct {
	accounts []*Account // in the order of the file
	byAppID  map[string]*Account
	// byOriginalID has the same accounts.
	byOriginalID map[string]*Account
}

func newDirectory(all []*Account) *Directory {
	d := &Directory{
		accounts:     all,
		byAppID:      make(map[string]*Account, len(all)),
		byOriginalID: make(map[string]*Account, len(all)),
	}
	for _, a := range all {
		d.byAppID[a.AppID] = a
		if a.OriginalID != "" { // platforms have none.
			d.byOriginalID[a.OriginalID] = a
		}
	}
	return d
}

// Find returns the account with that AppID.
func (d *Directory) Find(appID string) (*Account, bool) {
	a, ok := d.byAppID[appID]
	return a, ok
}

// FindByAddress returns the account that a push names: by its original id as ToUserName or, in a push of a
// third-party platform (第三方平台) to itself, by its AppID as AppId.
func (d *Directory) FindByAddress(address string) (*Account, bool) {
	if a, ok := d.byOriginalID[address]; ok {
		return a, true
	}
	return d.Find(address)
}

// Only returns the account if there is exactly one.
func (d *Directory) Only() (*Account, bool) {
	if len(d.accounts) != 1 {
		return nil, false
	}
	return d.accounts[0], true
}

// Verifying returns the first account under whose Token sign is the signature over timestamp and nonce.
func (d *Directory) Verifying(sign, timestamp, nonce string) (*Account, bool) {
	i := slices.IndexFunc(d.accounts, func(a *Account) bool { return a.Verify(sign, timestamp, nonce) })
	if i < 0 {
		return nil, false
	}
	return d.accounts[i], true
}

// AppIDs returns the AppIDs of all accounts in the order of the file.
func (d *Directory) AppIDs() []string {
	ids := make([]string, 0, len(d.accounts))
	for _, a := range d.accounts {
		ids = append(ids, a.AppID)
	}
	return ids
}

// Load reads the accounts file and the secrets it names. In production the development account and its
// secrets, which everybody knows, are refused. The error tells everything that is wrong.
func Load(path string, production bool) (*Directory, error) {
	return loader{path: path, production: production}.load(&config.Files{})
}

// loader reads an accounts file.
type loader struct {
	path       string
	production bool
}

func (l loader) load(files *config.Files) (*Directory, error) {
	if l.path == "" {
		return nil, errors.New("WX_ACCOUNTS_FILE is not set: it names the YAML file that lists the Official Accounts (公众号) to serve")
	}
	data, err := files.Read(l.path)
	if err != nil {
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %w", err)
	}
	var file account.File
	if err := config.DecodeYAML(l.path, data, &file); err != nil {
		// The first line has place and reason. The excerpt below it would show a secret that somebody wrote
		// into this file, instead of the name of a file.
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %s", reason)
	}
	file.ApplyDefaults()
	if err := l.check(file); err != nil {
		return nil, l.located(data, err)
	}
	all := make([]*Account, 0, len(file.Accounts))
	var faults []error
	for i, entry := range file.Accounts {
		if entry.Kind == account.KindWork {
			continue // its callbacks are another protocol.
		}
		a, err := open(files, entry, l.production)
		if err != nil {
			fault := account.FileError{Place: fmt.Sprintf("accounts[%d]", i), Reason: "account " + entry.AppID + ": " + err.Error()}
			faults = append(faults, fault)
			continue
		}
		all = append(all, a)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, l.located(data, err)
	}
	return newDirectory(all), nil
}

func (l loader) check(file account.File) error {
	if err := file.Validate(); err != nil {
		return err
	}
	if l.production {
		return file.RefuseDevelopment()
	}
	return nil
}

// located adds the file and the line to each fault of an accounts file.
func (l loader) located(data []byte, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // errors.Join's, taken apart.
		parts := joined.Unwrap()
		all := make([]error, 0, len(parts))
		for _, one := range parts {
			all = append(all, l.located(data, one))
		}
		return errors.Join(all...)
	}
	if fault, ok := errors.AsType[account.FileError](err); ok {
		return fmt.Errorf("WX_ACCOUNTS_FILE: %s:%d: %w", l.path, config.Line(data, fault.Place), fault)
	}
	return fmt.Errorf("WX_ACCOUNTS_FILE: %s: %w", l.path, err)
}

// open reads the secrets of one account.
func open(files *config.Files, entry account.Account, production bool) (*Account, error) {
	tokens, err := secrets(files, "callback_token_file", entry.CallbackTokenFile, entry.PreviousCallbackTokenFile)
	if err != nil {
		return nil, err
	}
	if production && slices.Contains(tokens, config.NewSecret(account.DevelopmentCallbackToken)) {
		return nil, errors.New("callback_token_file: it holds the development Token, which is public; " +
			"choose one of your own in the console (基本配置, 令牌)")
	}
	a := &Account{
		AppID: entry.AppID, OriginalID: entry.OriginalID, Encryption: entry.Encryption, LateAnswer: entry.LateAnswer,
		kind: entry.Kind, tokens: tokens,
	}
	if entry.Encryption == account.EncryptionPlain {
		return a, nil
	}
	keys, err := secrets(files, "encoding_aes_key_file", entry.EncodingAESKeyFile, entry.PreviousEncodingAESKeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w (encryption is %s; plain needs none)", err, entry.Encryption)
	}
	// A third-party platform (第三方平台) owns the keys of its authorizers' pushes, and its AppID is in them.
	owner := cmp.Or(entry.Platform, entry.AppID)
	for _, token := range tokens {
		for _, key := range keys {
			cipher, err := msgcrypt.New(owner, token.Reveal(), key.Reveal())
			if err != nil {
				return nil, fmt.Errorf("encoding_aes_key_file: %w", err)
			}
			a.ciphers = append(a.ciphers, cipher)
		}
	}
	return a, nil
}

// secrets reads the current secret and, if it is configured, the previous one.
func secrets(files *config.Files, field, current, previous string) ([]config.Secret, error) {
	first, err := files.ReadSecret(field, current)
	if err != nil {
		return nil, err
	}
	if previous == "" {
		return []config.Secret{first}, nil
	}
	second, err := files.ReadSecret("previous_"+field, previous)
	if err != nil {
		return nil, err
	}
	return []config.Secret{first, second}, nil
}
