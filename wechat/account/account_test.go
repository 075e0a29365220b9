package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
)

// file returns a valid file of two accounts, which alter may spoil.
func file(alter func(*account.File)) account.File {
	f := account.File{Accounts: []account.Account{
		{AppID: "wx0000000000000001", OriginalID: "gh_000000000001"},
		{AppID: "wx0000000000000002", OriginalID: "gh_000000000002", Kind: account.KindSubscription},
	}}
	f.ApplyDefaults()
	alter(&f)

	return f
}

func TestApplyDefaults(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ in, want account.Account }{
		"empty": {
			account.Account{},
			account.Account{
				Kind: "service", Encryption: "compatible", TokenAPI: "stable",
				LateAnswer: account.LateAnswer{Policy: "customer_service", TTL: 10 * time.Minute},
			},
		},
		"subscription": {
			account.Account{Kind: "subscription"},
			account.Account{
				Kind: "subscription", Encryption: "compatible", TokenAPI: "stable",
				LateAnswer: account.LateAnswer{
					Policy: "pickup", Placeholder: account.DefaultPlaceholder, TTL: 10 * time.Minute,
				},
			},
		},
		"all set": {
			account.Account{
				Kind: "subscription", Encryption: "safe", TokenAPI: "classic",
				LateAnswer: account.LateAnswer{Policy: "drop", Placeholder: "x", TTL: time.Second},
			},
			account.Account{
				Kind: "subscription", Encryption: "safe", TokenAPI: "classic",
				LateAnswer: account.LateAnswer{Policy: "drop", Placeholder: "x", TTL: time.Second},
			},
		},
		"wrong words stay": {
			account.Account{Kind: "personal", Encryption: "aes"},
			account.Account{
				Kind: "personal", Encryption: "aes", TokenAPI: "stable",
				LateAnswer: account.LateAnswer{Policy: "customer_service", TTL: 10 * time.Minute},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := account.File{Accounts: []account.Account{test.in}}
			f.ApplyDefaults()
			if diff := cmp.Diff(test.want, f.Accounts[0]); diff != "" {
				t.Errorf("ApplyDefaults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()

	const idRule = "letters and digits, copy it from the console (公众号设置, 基本配置)"
	tests := map[string]struct {
		alter func(*account.File)
		want  []string // the lines of the error
	}{
		"valid": {func(*account.File) {}, nil},
		"no accounts": {
			func(f *account.File) { f.Accounts = nil },
			[]string{"accounts: the list is empty, at least one account is required"},
		},
		"encryption": {
			func(f *account.File) { f.Accounts[1].Encryption = "aes" },
			[]string{`accounts[1].encryption: "aes" is none of plain, compatible, safe`},
		},
		"all faults at once": {
			func(f *account.File) {
				f.Accounts[0] = account.Account{
					Kind: "personal", TokenAPI: "new",
					LateAnswer: account.LateAnswer{Policy: "later", TTL: -time.Second},
				}
			},
			[]string{
				`accounts[0].app_id: "" is not wx followed by ` + idRule,
				`accounts[0].original_id: "" is not gh_ followed by ` + idRule,
				`accounts[0].kind: "personal" is none of service, subscription, mini_program, work, platform`,
				`accounts[0].encryption: "" is none of plain, compatible, safe`,
				`accounts[0].token_api: "new" is none of stable, classic`,
				`accounts[0].late_answer.policy: "later" is none of customer_service, pickup, drop`,
				`accounts[0].late_answer.ttl: -1s is not a positive duration such as 10m`,
			},
		},
		"app_id with a path": {
			func(f *account.File) { f.Accounts[0].AppID = "wx1/../2" },
			[]string{`accounts[0].app_id: "wx1/../2" is not wx followed by ` + idRule},
		},
		"app_id with a hash tag": {
			func(f *account.File) { f.Accounts[0].AppID = "wx{1}" },
			[]string{`accounts[0].app_id: "wx{1}" is not wx followed by ` + idRule},
		},
		"ids swapped": {
			func(f *account.File) {
				a := &f.Accounts[0]
				a.AppID, a.OriginalID = a.OriginalID, a.AppID
			},
			[]string{
				`accounts[0].app_id: "gh_000000000001" is not wx followed by ` + idRule,
				`accounts[0].original_id: "wx0000000000000001" is not gh_ followed by ` + idRule,
			},
		},
		"duplicates": {
			func(f *account.File) {
				f.Accounts[1].AppID = f.Accounts[0].AppID
				f.Accounts[1].OriginalID = f.Accounts[0].OriginalID
			},
			[]string{
				`accounts[1].app_id: "wx0000000000000001" is also that of accounts[0]`,
				`accounts[1].original_id: "gh_000000000001" is also that of accounts[0]`,
			},
		},
		"pickup without placeholder": {
			func(f *account.File) { f.Accounts[1].LateAnswer.Placeholder = " " },
			[]string{"accounts[1].late_answer.placeholder: is empty, with the policy pickup the follower needs a text to read"},
		},
		"mini program": {
			func(f *account.File) { f.Accounts[0].Kind = account.KindMiniProgram },
			nil,
		},
		"work": {
			func(f *account.File) {
				f.Accounts[0] = account.Account{AppID: "ww0000000000000001", Kind: account.KindWork}
				f.Accounts[1] = account.Account{AppID: "wx0000000000000001", Kind: account.KindWork}
				f.ApplyDefaults()
			},
			nil,
		},
		"work with an original id": {
			func(f *account.File) { f.Accounts[0].Kind = account.KindWork },
			[]string{`accounts[0].original_id: "gh_000000000001" is set, but accounts of the kind work have none, leave it out`},
		},
		"work id of another kind": {
			func(f *account.File) { f.Accounts[0].AppID = "ww0000000000000001" },
			[]string{`accounts[0].app_id: "ww0000000000000001" is not wx followed by ` + idRule},
		},
		"platform and authorizer": {
			func(f *account.File) {
				f.Accounts[1] = account.Account{AppID: "wx0000000000000002", Kind: account.KindPlatform, AppSecretFile: "x"}
				f.Accounts[0].Platform = "wx0000000000000002"
				f.ApplyDefaults()
			},
			nil,
		},
		"platform of another kind": {
			func(f *account.File) { f.Accounts[0].Platform = "wx0000000000000002" },
			[]string{`accounts[0].platform: "wx0000000000000002" is not the app_id of an account of the kind platform in this file, add that account`},
		},
		"platform that is not there, of a company, with a secret": {
			func(f *account.File) {
				f.Accounts[0] = account.Account{AppID: "ww1", Kind: account.KindWork, Platform: "wx9", AppSecretFile: "x"}
				f.ApplyDefaults()
			},
			[]string{
				`accounts[0].platform: "wx9" is not the app_id of an account of the kind platform in this file, add that account`,
				`accounts[0].platform: is set, but accounts of the kind work cannot authorise a platform`,
				`accounts[0].app_secret_file: is set beside platform, leave it out: the tokens come through the platform`,
			},
		},
		"previous secrets alone": {
			func(f *account.File) {
				f.Accounts[0].PreviousCallbackTokenFile = "/run/secrets/token.old"
				f.Accounts[0].PreviousEncodingAESKeyFile = "/run/secrets/key.old"
			},
			[]string{
				"accounts[0].previous_callback_token_file: is set, but callback_token_file is not",
				"accounts[0].previous_encoding_aes_key_file: is set, but encoding_aes_key_file is not",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			if err := file(test.alter).Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Validate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()

	f := file(func(*account.File) {})
	if got, ok := f.Find("wx0000000000000002"); !ok || got.OriginalID != "gh_000000000002" {
		t.Errorf("Find = %+v, %v", got, ok)
	}
	if got, ok := f.Find("gh_000000000002"); ok {
		t.Errorf("Find by original id = %+v, want none", got)
	}
}

func TestRefuseDevelopment(t *testing.T) {
	t.Parallel()

	if err := file(func(*account.File) {}).RefuseDevelopment(); err != nil {
		t.Errorf("a file without the development account: %v", err)
	}
	f := file(func(f *account.File) { f.Accounts[1] = account.Development() })
	if err := f.Validate(); err != nil {
		t.Errorf("the development account is not valid: %v", err)
	}
	err := f.RefuseDevelopment()
	if err == nil || !strings.Contains(err.Error(), "accounts[1]") {
		t.Errorf("RefuseDevelopment: error %v, want one that names accounts[1]", err)
	}
	if err != nil && strings.Contains(err.Error(), account.DevelopmentAppSecret) {
		t.Errorf("the error reveals a secret: %v", err)
	}
}

// TestDevelopmentCredentials shows that the published key is one that the codec
// accepts.
func TestDevelopmentCredentials(t *testing.T) {
	t.Parallel()

	_, err := msgcrypt.New(account.DevelopmentAppID, account.DevelopmentCallbackToken, account.DevelopmentEncodingAESKey)
	if err != nil {
		t.Error(err)
	}
}
