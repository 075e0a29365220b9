// Package tokencenter is the AccessToken central control (AccessToken 中控服务器): the one owner of every
// account's access token. It obtains, renews, stores and distributes; nobody else asks WeChat for one.
//
// It is the only part that reads an AppSecret, and it never faces the internet. Several replicas may
// run: they agree through Redis, and WeChat is asked once.
package tokencenter

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/egress"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
	"github.com/wxstack/wxstack/services/token-center/internal/issuer"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
	"github.com/wxstack/wxstack/wechat/account"
)

// Config are the settings of token-center.
type Config struct {
	ListenAddr     string   `name:"token-center-addr" env:"TOKEN_CENTER_LISTEN_ADDR" default:":50053" help:"gRPC listen address. Keep it on a private network."`
	HTTPListenAddr string   `name:"token-center-http-addr" env:"TOKEN_CENTER_HTTP_LISTEN_ADDR" help:"Listen address of the same service as HTTP with JSON, such as localhost:8083. Empty: off."`
	AccountsFile   string   `name:"accounts" env:"WX_ACCOUNTS_FILE" help:"YAML file that lists the accounts; token-center needs app_id, kind, token_api and app_secret_file of each, or platform instead. It and the secrets are read again when they change."`
	CallersFile    string   `name:"callers" env:"WX_CALLERS_FILE" help:"YAML file that lists who may ask for which accounts, and what proves who calls. Read again when it changes. Empty: whoever reaches the listener; refused with WX_PRODUCTION unless mutual TLS is on."`
	APIBaseURL     []string `name:"api-base-url" env:"WX_API_BASE_URL" default:"https://api.weixin.qq.com,https://api2.weixin.qq.com" help:"Hosts of WeChat's API, in order; the next is asked only when no connection can be made."`
	WorkAPIBaseURL []string `name:"work-api-base-url" env:"WX_WORK_API_BASE_URL" default:"https://qyapi.weixin.qq.com" help:"Hosts of WeChat Work's API (企业微信), in order, for accounts of the kind work."`
	StorageKeyFile string   `name:"token-center-storage-key-file" env:"TOKEN_CENTER_STORAGE_KEY_FILE" help:"File with the base64 of 32 random bytes (openssl rand -base64 32) that encrypts tokens in Redis; the same for all replicas. Further lines hold keys that are accepted for reading, while keys are changed. Empty: plain text, refused with WX_PRODUCTION."`
	CacheFile      string   `name:"token-center-cache-file" env:"TOKEN_CENTER_CACHE_FILE" help:"File in which this replica keeps the last known tokens, encrypted with the storage key, and finds them when it starts while Redis is away. Empty: none."`
	Production     bool     `name:"production" env:"WX_PRODUCTION" help:"Refuse what is only fit for development: the development account, callers that nobody knows, plain text tokens in Redis, http:// to WeChat."`

	Redis  redisconn.Config `embed:""`
	TLS    rpc.TLS          `embed:""`
	Egress egress.Config    `embed:""`
}

// Check reads the files that the settings name and returns everything that is wrong.
func (c *Config) Check() error {
	_, accountsErr := c.accounts(&config.Files{})
	seal, keyErr := c.sealer()
	if keyErr == nil {
		_, keyErr = c.cache(seal)
	}
	_, callersErr := caller.Load(c.CallersFile)
	return errors.Join(accountsErr, keyErr, callersErr, c.checkCallersAreKnown(), c.checkHosts(), c.Redis.Check(), c.TLS.Check(), c.Egress.Check())
}

// secretAccount is an account together with its AppSecret, which authorizers of a platform have not.
type secretAccount struct {
	account.Account
	secret config.Secret
}

func (c *Config) accounts(files *config.Files) ([]secretAccount, error) {
	if c.AccountsFile == "" {
		return nil, errors.New("WX_ACCOUNTS_FILE: not set; it names the YAML file that lists the Official Accounts and their app_secret_file")
	}
	var file account.File
	data, err := files.Read(c.AccountsFile)
	if err != nil {
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %w", err)
	}
	if err := config.DecodeYAML(c.AccountsFile, data, &file); err != nil {
		// The first line has place and reason. The excerpt below it would show a secret that somebody wrote
		// into this file, instead of the name of a file.
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE: %s", reason)
	}
	file.ApplyDefaults()
	if err := file.Validate(); err != nil {
		return nil, fmt.Errorf("WX_ACCOUNTS_FILE %s: %w", c.AccountsFile, err)
	}
	if c.Production {
		if err := file.RefuseDevelopment(); err != nil {
			return nil, fmt.Errorf("WX_ACCOUNTS_FILE %s: %w", c.AccountsFile, err)
		}
	}
	var errs []error
	accounts := make([]secretAccount, 0, len(file.Accounts))
	for i, a := range file.Accounts {
		if a.Platform != "" { // its tokens come through the platform.
			accounts = append(accounts, secretAccount{Account: a})
			continue
		}
		secret, err := files.ReadSecret(fmt.Sprintf("accounts[%d].app_secret_file", i), a.AppSecretFile)
		errs = append(errs, err)
		accounts = append(accounts, secretAccount{a, secret})
	}
	return accounts, errors.Join(errs...)
}

// checkCallersAreKnown refuses, in production, to hand out tokens to whoever reaches the listener.
func (c *Config) checkCallersAreKnown() error {
	if c.Production && c.CallersFile == "" && !c.TLS.Enabled() {
		return errors.New("WX_CALLERS_FILE: required with WX_PRODUCTION, unless TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE make mutual TLS; it lists who may ask for tokens")
	}
	return nil
}

func (c *Config) sealer() (store.Sealer, error) {
	const setting = "TOKEN_CENTER_STORAGE_KEY_FILE"
	if c.StorageKeyFile == "" {
		if c.Production {
			return store.Sealer{}, errors.New(setting + ": required with WX_PRODUCTION; make one with: openssl rand -base64 32")
		}
		return store.Sealer{}, nil
	}
	secret, err := config.ReadSecret(setting, c.StorageKeyFile)
	if err != nil {
		return store.Sealer{}, err
	}
	var keys [][]byte
	for line := range strings.FieldsSeq(secret.Reveal()) {
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return store.Sealer{}, errors.New(setting + ": not base64, one key a line; make one with: openssl rand -base64 32")
		}
		keys = append(keys, key)
	}
	sealer, err := store.NewSealer(keys[0], keys[1:]...)
	if err != nil {
		return store.Sealer{}, fmt.Errorf(setting+": %w; make one with: openssl rand -base64 32", err)
	}
	return sealer, nil
}

// workHosts returns the hosts of WeChat Work; callers that fill Config themselves may leave them out.
func (c *Config) workHosts() []string {
	if len(c.WorkAPIBaseURL) == 0 {
		return []string{"https://qyapi.weixin.qq.com"}
	}
	return c.WorkAPIBaseURL
}

// cache opens the cache of this replica, nil when there is none. A file that is of no use starts empty.
func (c *Config) cache(seal store.Sealer) (*store.File, error) {
	const setting = "TOKEN_CENTER_CACHE_FILE"
	if c.CacheFile == "" {
		return nil, nil //nolint:nilnil // no cache is a choice, and no failure.
	}
	if !seal.Enabled() {
		return nil, errors.New(setting + ": tokens must not lie on a disk in plain text; set TOKEN_CENTER_STORAGE_KEY_FILE")
	}
	file, err := store.OpenFile(c.CacheFile, seal)
	if err != nil && !errors.Is(err, store.ErrUnreadable) {
		return nil, fmt.Errorf(setting+": %w", err)
	}
	return file, nil
}

func (c *Config) checkHosts() error {
	return errors.Join(
		c.checkHostsOf("WX_API_BASE_URL", c.APIBaseURL),
		c.checkHostsOf("WX_WORK_API_BASE_URL", c.workHosts()),
	)
}

func (c *Config) checkHostsOf(setting string, hosts []string) error {
	if _, err := issuer.NewClient(hosts, egress.Way{}); err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	if !c.Production {
		return nil
	}
	for _, host := range hosts {
		if u, err := url.Parse(host); err != nil || u.Scheme != "https" {
			return fmt.Errorf("%s: %q would send the AppSecret in clear text, which WX_PRODUCTION refuses; use https://", setting, host)
		}
	}
	return nil
}
