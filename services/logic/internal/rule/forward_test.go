package rule_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/wxstack/wxstack/chassis/config"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"

	"github.com/wxstack/wxstack/services/logic/internal/bulkhead"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
)

const forwarding = `
    forward:
      url: https://shop.example.com/wechat
      secret_file: /run/secrets/forward
      timeout: 3s
      retries: 2
      headers: {X-Team: shop}`

// transport is a backend without a network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func runtime(secret string, backend transport) *rule.Runtime {
	return &rule.Runtime{
		ReadSecret: func(what, path string) (config.Secret, error) {
			if what != "secret_file" || path != "/run/secrets/forward" {
				return config.Secret{}, errors.New(what + ": no such file")
			}
			return config.NewSecret(secret), nil
		},
		Transport: backend,
		Handlers:  bulkhead.NewMetrics(prometheus.NewRegistry()),
	}
}

// TestForward: what the file says about a backend is what happens.
func TestForward(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		attempts := 0
		rules, err := rule.Load("f", []byte(rules(forwarding)), runtime(secret, func(r *http.Request) (*http.Response, error) {
			attempts++
			body, err := io.ReadAll(r.Body)
			// Time stands still at a past date, which verifiers refuse; how a date is checked is theirs.
			if err := errors.Join(err, verifier.VerifyIgnoringTimestamp(body, r.Header)); err != nil {
				t.Error(err)
			}
			if r.URL.String() != "https://shop.example.com/wechat" || r.Header.Get("X-Team") != "shop" || !strings.Contains(string(body), `"rule":"a"`) {
				t.Errorf("%s with %v: %s", r.URL, r.Header, body)
			}
			if attempts < 3 {
				return nil, errors.New("connection reset")
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		if err != nil {
			t.Fatal(err)
		}
		if rules[0].Kind != "forward" || rules[0].Prompt() {
			t.Errorf("read as %+v", rules[0])
		}
		start := time.Now()
		_, err = rules[0].Handler.Answer(t.Context(), &logicv1.ReplyRequest{MessageKey: "k"})
		if attempts != 3 || time.Since(start) != 3*time.Second || route.ReasonOf(err) != route.ReasonTimeout {
			t.Errorf("%d attempts, %v after %v", attempts, err, time.Since(start))
		}
	})
}

func TestWrongSecretOfForward(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, secret, want string }{
		"no file":    {strings.ReplaceAll(forwarding, "/run/secrets/forward", "missing"), "", `f:6:20: rule "a": secret_file: no such file`},
		"not base64": {forwarding, "秘密", `f:6:20: rule "a": secret_file: the secret must be base64, as of: openssl rand -base64 32`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := rule.Load("f", []byte(rules(test.file)), runtime(test.secret, nil))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "秘密") {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// TestTheDocumentedForward reads the rules of docs/forward.md.
func TestTheDocumentedForward(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/forward.md")
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := strings.Cut(string(page), "```yaml\n")
	file, _, _ = strings.Cut(file, "```")
	got, err := rule.Load("docs/forward.md", []byte(file), runtime("b3RoZXIgc2VjcmV0", nil))
	if err != nil || len(got) != 2 || got[0].Kind != "forward" {
		t.Errorf("%+v, %v", got, err)
	}
}
