// Package account is the schema of the accounts file: which Official Accounts
// (公众号) a deployment serves, and how. Every part of the stack reads the same
// file, each for the fields it needs.
//
// The package holds data and rules only. It neither reads the file nor the
// secrets that the file points to: decode the YAML into a File with unknown keys
// refused, then call ApplyDefaults and Validate.
package account

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is the kind of an account (账号类型).
type Kind string

// The kinds of accounts.
const (
	KindService      Kind = "service"      // 服务号
	KindSubscription Kind = "subscription" // 订阅号
	KindMiniProgram  Kind = "mini_program" // 小程序
	KindWork         Kind = "work"         // 企业微信: an application of a company's; app_id is the CorpID
	KindPlatform     Kind = "platform"     // 第三方平台: app_id is the component AppID
)

// HasOriginalID reports whether accounts of the kind have an original id (原始ID),
// which those have that people write to.
func (k Kind) HasOriginalID() bool { return k != KindWork && k != KindPlatform }

// Encryption is how pushes and replies are protected (消息加解密方式), as set in
// the console under 设置与开发 → 基本配置 → 服务器配置.
type Encryption string

// The modes of encryption.
const (
	EncryptionPlain      Encryption = "plain"      // 明文模式
	EncryptionCompatible Encryption = "compatible" // 兼容模式
	EncryptionSafe       Encryption = "safe"       // 安全模式: pushes in clear text are refused
)

// TokenAPI is the interface by which access tokens are obtained.
type TokenAPI string

// The interfaces that give access tokens. Their tokens don't invalidate each other.
const (
	TokenAPIStable  TokenAPI = "stable"  // /cgi-bin/stable_token, which repeats a valid token
	TokenAPIClassic TokenAPI = "classic" // /cgi-bin/token, each call of which replaces the token
)

// LateAnswerPolicy says what becomes of an answer that is ready only after WeChat
// has stopped waiting.
type LateAnswerPolicy string

// The policies for late answers.
const (
	// LateAnswerCustomerService sends it as a customer-service message (客服消息),
	// which requires that right.
	LateAnswerCustomerService LateAnswerPolicy = "customer_service"
	// LateAnswerPickup keeps it until the follower writes again.
	LateAnswerPickup LateAnswerPolicy = "pickup"
	// LateAnswerDrop discards it.
	LateAnswerDrop LateAnswerPolicy = "drop"
)

const (
	// DefaultLateAnswerTTL is how long a late answer is worth delivering.
	DefaultLateAnswerTTL = 10 * time.Minute

	// DefaultPlaceholder is what a follower reads while a pickup answer is not ready.
	DefaultPlaceholder = "正在为您处理，请稍后回复任意内容获取结果。"
)

// The development account: what the simulator and the standalone program serve
// when nothing else is configured.
//
// WARNING: these credentials are public, since they stand in this source. Whoever
// knows them can forge any push and any call. They are for local use only; File's
// RefuseDevelopment keeps them out of production.
const (
	DevelopmentAppID          = "wxdev0000000000001"
	DevelopmentOriginalID     = "gh_dev000000001"
	DevelopmentCallbackToken  = "wxstack-dev-token"                           //nolint:gosec // public on purpose.
	DevelopmentEncodingAESKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG" // WeChat's own sample key
	DevelopmentAppSecret      = "wxstack-dev-secret"                          //nolint:gosec // public on purpose.
)

// File is the accounts file.
type File struct { //nolint:recvcheck // ApplyDefaults alone changes the file.
	Accounts []Account `yaml:"accounts"`
}

// Account is one Official Account. Secrets are paths to files, and each part of
// the stack needs only some of them, so none is required here.
type Account struct {
	// AppID (开发者ID) identifies the account in APIs and in the callback URL. For the
	// kind work it is the CorpID (企业ID), for the kind platform the component AppID.
	AppID string `yaml:"app_id"`
	// OriginalID (原始ID, gh_…) identifies the account in pushes. The kinds work and
	// platform have none.
	OriginalID string `yaml:"original_id"`
	// Kind defaults to service.
	Kind Kind `yaml:"kind"`
	// Encryption defaults to compatible. It must match the console.
	Encryption Encryption `yaml:"encryption"`
	// TokenAPI defaults to stable.
	TokenAPI TokenAPI `yaml:"token_api"`
	// Platform is the component AppID of the third-party platform (第三方平台) that the
	// account has authorised, an account of the kind platform in the same file. Its
	// tokens come through the platform, so that it has no app_secret_file.
	Platform string `yaml:"platform"`
	// LateAnswer says what to do when logic answers too late.
	LateAnswer LateAnswer `yaml:"late_answer"`

	// CallbackTokenFile holds the Token (令牌). Gateway only.
	CallbackTokenFile string `yaml:"callback_token_file"`
	// EncodingAESKeyFile holds the EncodingAESKey (消息加解密密钥). Gateway only.
	EncodingAESKeyFile string `yaml:"encoding_aes_key_file"`
	// PreviousCallbackTokenFile is accepted beside the current one during a rotation.
	PreviousCallbackTokenFile string `yaml:"previous_callback_token_file"`
	// PreviousEncodingAESKeyFile is accepted beside the current one during a rotation.
	PreviousEncodingAESKeyFile string `yaml:"previous_encoding_aes_key_file"`
	// AppSecretFile holds the AppSecret (开发者密码), for the kind work the
	// application's Secret. Token-center only.
	AppSecretFile string `yaml:"app_secret_file"`
}

// LateAnswer is the policy for answers that come too late.
type LateAnswer struct {
	// Policy defaults to customer_service for a service account and to pickup for a
	// subscription account, which often lacks the right to customer-service messages.
	Policy LateAnswerPolicy `yaml:"policy"`
	// Placeholder is what the follower reads meanwhile, under the policy pickup. It
	// defaults to DefaultPlaceholder there and is unused elsewhere.
	Placeholder string `yaml:"placeholder"`
	// TTL is how long a late answer is kept. It defaults to DefaultLateAnswerTTL.
	TTL time.Duration `yaml:"ttl"`
}

// Development returns the development account without its secrets, defaults
// applied.
func Development() Account {
	a := Account{AppID: DevelopmentAppID, OriginalID: DevelopmentOriginalID, Encryption: EncryptionCompatible}
	a.applyDefaults()

	return a
}

// ApplyDefaults fills every field that was left out and has a default. What is
// set, it leaves alone, right or wrong.
func (f *File) ApplyDefaults() {
	for i := range f.Accounts {
		f.Accounts[i].applyDefaults()
	}
}

func (a *Account) applyDefaults() {
	setDefault(&a.Kind, KindService)
	setDefault(&a.Encryption, EncryptionCompatible)
	setDefault(&a.TokenAPI, TokenAPIStable)
	if a.Kind == KindSubscription {
		setDefault(&a.LateAnswer.Policy, LateAnswerPickup)
	}
	setDefault(&a.LateAnswer.Policy, LateAnswerCustomerService)
	if a.LateAnswer.Policy == LateAnswerPickup {
		setDefault(&a.LateAnswer.Placeholder, DefaultPlaceholder)
	}
	setDefault(&a.LateAnswer.TTL, DefaultLateAnswerTTL)
}

// setDefault sets a field that has its zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// FileError is one thing that is wrong with a file.
type FileError struct {
	// Place is the path of the value in the file, such as accounts[1].kind. If the
	// value is missing, nothing stands there.
	Place string
	// Reason says what is wrong, and the remedy.
	Reason string
}

func (e FileError) Error() string { return e.Place + ": " + e.Reason }

// Validate checks a file to which the defaults have been applied and returns all
// its faults joined; each is a FileError.
func (f File) Validate() error {
	if len(f.Accounts) == 0 {
		return FileError{"accounts", "the list is empty, at least one account is required"}
	}
	v := validator{}
	for i, a := range f.Accounts {
		v.prefix = "accounts[" + strconv.Itoa(i) + "]."
		v.account(a)
		v.platform(a, f)
		v.unique("app_id", a.AppID, f.Accounts[:i], func(other Account) string { return other.AppID })
		v.unique("original_id", a.OriginalID, f.Accounts[:i], func(other Account) string { return other.OriginalID })
	}

	return errors.Join(v.faults...)
}

// Find returns the account with that AppID.
func (f File) Find(appID string) (Account, bool) {
	i := slices.IndexFunc(f.Accounts, func(a Account) bool { return a.AppID == appID })
	if i < 0 {
		return Account{}, false
	}

	return f.Accounts[i], true
}

// RefuseDevelopment returns a FileError if the file contains the development account,
// whose secrets everybody knows. Production deployments call it.
func (f File) RefuseDevelopment() error {
	for i, a := range f.Accounts {
		if a.AppID == DevelopmentAppID || a.OriginalID == DevelopmentOriginalID {
			return FileError{"accounts[" + strconv.Itoa(i) + "]", "this is the development account " + DevelopmentAppID +
				", whose secrets are public; production needs an account of your own"}
		}
	}

	return nil
}

// validator collects the faults of a file.
type validator struct {
	prefix string
	faults []error
}

func (v *validator) faultf(key, format string, args ...any) {
	v.faults = append(v.faults, FileError{v.prefix + key, fmt.Sprintf(format, args...)})
}

func (v *validator) account(a Account) {
	if a.Kind == KindWork && strings.HasPrefix(a.AppID, "ww") {
		v.identifier("app_id", a.AppID, "ww") // older CorpIDs begin with wx.
	} else {
		v.identifier("app_id", a.AppID, "wx")
	}
	if a.Kind.HasOriginalID() {
		v.identifier("original_id", a.OriginalID, "gh_")
	} else if a.OriginalID != "" {
		v.faultf("original_id", "%q is set, but accounts of the kind %s have none, leave it out", a.OriginalID, a.Kind)
	}
	oneOf(v, "kind", a.Kind, KindService, KindSubscription, KindMiniProgram, KindWork, KindPlatform)
	oneOf(v, "encryption", a.Encryption, EncryptionPlain, EncryptionCompatible, EncryptionSafe)
	oneOf(v, "token_api", a.TokenAPI, TokenAPIStable, TokenAPIClassic)
	oneOf(v, "late_answer.policy", a.LateAnswer.Policy,
		LateAnswerCustomerService, LateAnswerPickup, LateAnswerDrop)
	if a.LateAnswer.Policy == LateAnswerPickup && strings.TrimSpace(a.LateAnswer.Placeholder) == "" {
		v.faultf("late_answer.placeholder", "is empty, with the policy pickup the follower needs a text to read")
	}
	if a.LateAnswer.TTL <= 0 {
		v.faultf("late_answer.ttl", "%s is not a positive duration such as 10m", a.LateAnswer.TTL)
	}
	v.rotation("callback_token_file", a.PreviousCallbackTokenFile, a.CallbackTokenFile)
	v.rotation("encoding_aes_key_file", a.PreviousEncodingAESKeyFile, a.EncodingAESKeyFile)
}

// platform checks the link of an authorizer to its platform.
func (v *validator) platform(a Account, f File) {
	if a.Platform == "" {
		return
	}
	if platform, ok := f.Find(a.Platform); !ok || platform.Kind != KindPlatform {
		v.faultf("platform", "%q is not the app_id of an account of the kind platform in this file, add that account", a.Platform)
	}
	if !a.Kind.HasOriginalID() {
		v.faultf("platform", "is set, but accounts of the kind %s cannot authorise a platform", a.Kind)
	}
	if a.AppSecretFile != "" {
		v.faultf("app_secret_file", "is set beside platform, leave it out: the tokens come through the platform")
	}
}

// identifier checks an id of WeChat's: the prefix, then letters and digits. It
// becomes part of URLs and of Redis keys, so nothing else may slip in.
func (v *validator) identifier(key, value, prefix string) {
	rest, ok := strings.CutPrefix(value, prefix)
	if !ok || rest == "" || strings.ContainsFunc(rest, isNotAlphanumeric) {
		v.faultf(key, "%q is not %s followed by letters and digits, copy it from the console (公众号设置, 基本配置)", value, prefix)
	}
}

func isNotAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// rotation refuses a previous secret without a current one: then nothing could
// sign or seal.
func (v *validator) rotation(key, previous, current string) {
	if previous != "" && current == "" {
		v.faultf("previous_"+key, "is set, but %s is not", key)
	}
}

// unique refuses a value that an earlier account has.
func (v *validator) unique(key, value string, earlier []Account, get func(Account) string) {
	if value == "" {
		return // reported already
	}
	if i := slices.IndexFunc(earlier, func(a Account) bool { return get(a) == value }); i >= 0 {
		v.faultf(key, "%q is also that of accounts[%d]", value, i)
	}
}

// oneOf refuses a word that isn't in the list.
func oneOf[T ~string](v *validator, key string, value T, words ...T) {
	if slices.Contains(words, value) {
		return
	}
	list := make([]string, 0, len(words))
	for _, word := range words {
		list = append(list, string(word))
	}
	v.faultf(key, "%q is none of %s", string(value), strings.Join(list, ", "))
}
