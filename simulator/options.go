package simulator

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// Mode is an account's message encryption (消息加解密方式).
type Mode string

// The three modes of the console.
const (
	// ModePlain is 明文模式: clear text both ways.
	ModePlain Mode = "plain"
	// ModeCompatible is 兼容模式: pushes carry clear and sealed text, and a reply
	// may be either.
	ModeCompatible Mode = "compatible"
	// ModeSafe is 安全模式: sealed both ways.
	ModeSafe Mode = "safe"
)

// encrypts reports whether pushes in the mode carry an Encrypt element.
func (m Mode) encrypts() bool { return m != ModePlain }

// ParseMode returns the mode of that name. The empty name means compatible.
func ParseMode(name string) (Mode, error) {
	switch mode := Mode(name); mode {
	case "":
		return ModeCompatible, nil
	case ModePlain, ModeCompatible, ModeSafe:
		return mode, nil
	default:
		return "", fmt.Errorf("%w: mode %q is unknown, use plain, compatible or safe", ErrInvalid, name)
	}
}

// Format is an account's data format (数据格式), that of its pushes and of the replies to them.
type Format string

// The two formats of the console.
const (
	FormatXML  Format = "xml"
	FormatJSON Format = "json"
)

// ParseFormat returns the format of that name. The empty name means XML.
func ParseFormat(name string) (Format, error) {
	switch format := Format(name); format {
	case "":
		return FormatXML, nil
	case FormatXML, FormatJSON:
		return format, nil
	default:
		return "", fmt.Errorf("%w: format %q is unknown, use xml or json", ErrInvalid, name)
	}
}

// ErrInvalid is wrapped by every error about what the caller asked for.
var ErrInvalid = errors.New("invalid request")

// AccountKind tells apart what has tokens of its own at the platform.
type AccountKind string

// The kinds of accounts.
const (
	// KindAccount is an Official Account (公众号) or a mini program (小程序).
	KindAccount AccountKind = ""
	// KindWork is an application of WeChat Work (企业微信): AppID is the CorpID, AppSecret
	// the application's Secret. It has neither followers nor pushes.
	KindWork AccountKind = "work"
	// KindPlatform is a third-party platform (第三方平台): AppID and AppSecret are the
	// component's.
	KindPlatform AccountKind = "platform"
)

// Account is one Official Account (公众号) that the simulator knows.
type Account struct {
	Kind           AccountKind
	AppID          string // AppID of the account, also the path of the default callback URL.
	OriginalID     string // Original id (原始ID), the ToUserName of its pushes.
	CallbackToken  string // Token (令牌) that signs pushes.
	EncodingAESKey string // EncodingAESKey (消息加解密密钥); may be empty in plain mode.
	AppSecret      string // AppSecret that the token endpoints check.
	Mode           Mode   // Mode of message encryption; empty means compatible.
	Format         Format // Format of pushes and replies (数据格式); empty means XML.
	CallbackURL    string // CallbackURL (服务器配置 URL) that receives the pushes; of a platform the notices (授权事件接收URL).

	// MessageURL (消息与事件接收URL) of a third-party platform receives the pushes of the accounts that have authorised it;
	// $APPID$ in it becomes the account's AppID. Empty leaves them to the accounts' own servers.
	MessageURL string

	// Subscription makes it a subscription account (订阅号), which may send one mass message a day; otherwise it is a
	// service account (服务号), whose followers get four a month.
	Subscription bool

	// Test makes it a test account (接口测试号), whose daily limits are lower.
	Test bool

	// TokenLife makes access tokens live shorter than WeChat's 7200 s, so that a test
	// sees many renewals in little time; 0 means 7200 s.
	TokenLife time.Duration
}

// Delivery says how long the platform waits for an answer and how often it sends
// one message. The zero value means WeChat's own numbers.
type Delivery struct {
	Timeout  time.Duration // Timeout of one delivery; 0 means 5 s.
	Attempts int           // Attempts is the number of deliveries of one message; 0 means 3.
}

const (
	// DefaultTimeout is WeChat's patience with one delivery
	// (被动回复用户消息: 五秒内).
	DefaultTimeout = 5 * time.Second
	// DefaultAttempts is the number of deliveries that developers observe. The
	// documents' "retries three times" can also be read as four.
	DefaultAttempts = 3
)

// Options configures a Platform. The zero value is usable: one development
// account on a free port of the loopback interface.
type Options struct {
	Addr      string       // Addr to listen on; empty means a free port of 127.0.0.1.
	PublicURL string       // PublicURL under which others reach the simulator, for PicUrl; empty means URL().
	Accounts  []Account    // Accounts that exist; none means DefaultAccount alone.
	Logger    *slog.Logger // Logger for the few lines worth logging; nil discards them.
	Delivery  Delivery     // Delivery of pushes.
}

// withDefaults returns the options with every empty field filled in.
func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if len(o.Accounts) == 0 {
		o.Accounts = []Account{DefaultAccount()}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Delivery.Timeout <= 0 {
		o.Delivery.Timeout = DefaultTimeout
	}
	if o.Delivery.Attempts <= 0 {
		o.Delivery.Attempts = DefaultAttempts
	}
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")

	return o
}

// openAccount checks an account's configuration and prepares its state.
func openAccount(account Account) (*accountState, error) {
	if account.AppID == "" || (account.OriginalID == "" && account.Kind == KindAccount) {
		return nil, fmt.Errorf("%w: account %q: AppID and OriginalID must be set", ErrInvalid, account.AppID)
	}
	if account.Kind != KindAccount && account.EncodingAESKey == "" {
		account.Mode = ModePlain // Nothing is pushed.
	}
	mode, err := ParseMode(string(account.Mode))
	if err != nil {
		return nil, fmt.Errorf("account %q: %w", account.AppID, err)
	}
	account.Mode = mode
	if account.Format, err = ParseFormat(string(account.Format)); err != nil {
		return nil, fmt.Errorf("account %q: %w", account.AppID, err)
	}
	for _, address := range []string{account.CallbackURL, account.MessageURL} {
		if err := checkCallbackURL(address); err != nil {
			return nil, fmt.Errorf("account %q: %w", account.AppID, err)
		}
	}
	state := &accountState{Account: account}
	if account.EncodingAESKey == "" {
		if mode.encrypts() {
			return nil, fmt.Errorf("%w: account %q: EncodingAESKey must be set in %s mode", ErrInvalid, account.AppID, mode)
		}

		return state, nil
	}
	state.cipher, err = msgcrypt.New(account.AppID, account.CallbackToken, account.EncodingAESKey)
	if err != nil {
		return nil, fmt.Errorf("%w: account %q: %w", ErrInvalid, account.AppID, err)
	}

	return state, nil
}

// checkCallbackURL accepts an empty URL, because a test often knows it only after
// the simulator has started.
func checkCallbackURL(callback string) error {
	if callback == "" {
		return nil
	}
	parsed, err := url.Parse(callback)
	if err != nil {
		return fmt.Errorf("%w: callback URL can't be parsed: %w", ErrInvalid, err)
	}
	if (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return fmt.Errorf("%w: callback URL %q must be like http://host/path", ErrInvalid, callback)
	}

	return nil
}
