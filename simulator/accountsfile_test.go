package simulator

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAccounts(t *testing.T) {
	t.Parallel()
	const file = `
- app_id: wx0000000000000001 # everything else is the development account's
- {app_id: wx0000000000000002, original_id: gh_2, mode: plain, format: json, callback_url: "http://localhost/wx", subscription: true}
`
	accounts, err := ParseAccounts([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if first := accounts[0]; first.AppID != "wx0000000000000001" || first.AppSecret != DefaultAccount().AppSecret || first.CallbackURL != "" {
		t.Errorf("the first is %+v", first)
	}
	if second := accounts[1]; second.OriginalID != "gh_2" || second.Mode != ModePlain || second.Format != FormatJSON || !second.Subscription {
		t.Errorf("the second is %+v", second)
	}
	for text, says := range map[string]string{
		"": "no account", "[]": "no account", "{}": "must be a list", "- {app_id: wx1, mod: plain}": `"mod"`, "- {}": "entry 1: invalid request: account \"\": AppID",
		"- {app_id: wx1, mode: x}": "use plain, compatible or safe", "- [": "isn't YAML", "list: !tag ": "must be a list",
		"- {app_id: wx1, encoding_aes_key: short}": "copy the 43 of the console",
	} {
		if _, err := ParseAccounts([]byte(text)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want %q", text, err, says)
		}
	}
}

func FuzzParseAccounts(f *testing.F) {
	f.Add("- {app_id: wx1}")
	f.Add("list: !tag ")
	f.Fuzz(func(t *testing.T, text string) {
		accounts, err := ParseAccounts([]byte(text))
		if (err == nil) != (len(accounts) > 0) {
			t.Errorf("%d accounts, error %v", len(accounts), err)
		}
	})
}
