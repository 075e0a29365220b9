package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/simulator/internal/examine"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// rightServer answers the verification and, in clear or sealed as the push is, every text.
func rightServer(t *testing.T, change func(http.ResponseWriter, *http.Request) bool) http.HandlerFunc {
	t.Helper()
	account := DefaultAccount()
	cipher, err := msgcrypt.New(account.AppID, account.CallbackToken, account.EncodingAESKey)
	if err != nil {
		t.Fatal(err)
	}

	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		switch {
		case change != nil && change(w, r):
		case !signature.Verify(query.Get("signature"), account.CallbackToken, query.Get("timestamp"), query.Get("nonce")):
			http.Error(w, "forbidden", http.StatusForbidden)
		case r.Method == http.MethodGet:
			_, _ = io.WriteString(w, query.Get("echostr"))
		case query.Get("encrypt_type") != "aes":
			_, _ = io.WriteString(w, plainReply("好"))
		default:
			sealed, err := cipher.Seal([]byte(plainReply("好")), "1700000000", "n")
			if err != nil {
				t.Error(err)
			}
			_, _ = fmt.Fprintf(w, "<xml><Encrypt>%s</Encrypt><MsgSignature>%s</MsgSignature><TimeStamp>%s</TimeStamp><Nonce>%s</Nonce></xml>",
				sealed.Encrypt, sealed.MsgSignature, sealed.TimeStamp, sealed.Nonce)
		}
	}
}

// Each case is a server that is wrong in one way, and what is found.
func TestExamine(t *testing.T) {
	t.Parallel()
	deliveries := 0
	post := func(answer func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				answer(w)
			}

			return r.Method == http.MethodPost
		}
	}
	echo := func(before, after string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				return false
			}
			_, _ = io.WriteString(w, before+r.URL.Query().Get("echostr")+after)

			return true
		}
	}
	cases := map[string]struct {
		change func(http.ResponseWriter, *http.Request) bool
		check  string
		says   string
	}{
		"right":          {nil, "", ""},
		"quotes":         {echo(`"`, `"`), "verify", "in quotes"},
		"newline":        {echo("", "\n"), "verify", "white space"},
		"checks nothing": {echo("", ""), "signature", "anybody can pretend"},
		"another Token": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Error(w, "forbidden", http.StatusForbidden)

			return r.Method == http.MethodGet
		}, "verify", "the Tokens differ"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)

			return true
		}, "verify", "redirects to /elsewhere"},
		"clear in safe mode": {post(func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainReply("好")) }), "push_safe", "clear text in safe mode"},
		"error page":         {post(func(w http.ResponseWriter) { http.Error(w, "oops", http.StatusInternalServerError) }), "push_plain", "HTTP status 500"},
		"checks GET only":    {post(func(w http.ResponseWriter) { _, _ = io.WriteString(w, plainReply("好")) }), "forged_plain", "anybody can pretend"},
		"JSON":               {post(func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"ok":true}`) }), "push_plain", "the body is JSON"},
		"replay guard": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			deliveries++
			if deliveries == 6 { // The repetition of the third mode's; each was also forged.
				http.Error(w, "replayed", http.StatusForbidden)
			} else {
				_, _ = io.WriteString(w, verdict.SuccessBody)
			}

			return true
		}, "repeat", "refused (status 403)"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startAccount(t, ModeSafe, rightServer(t, test.change))
			platform.options.Delivery.Timeout = DefaultTimeout
			got, err := platform.Examine(t.Context(), "", ModePlain, ModeCompatible, ModeSafe)
			if err != nil {
				t.Fatal(err)
			}
			problem := slices.IndexFunc(got.Findings, func(one ExamineFinding) bool { return one.Severity == examine.Problem && one.Check == test.check })
			switch {
			case test.check == "" && !got.OK:
				t.Errorf("found %+v", got.Findings)
			case test.check != "" && (got.OK || problem < 0 || !strings.Contains(got.Findings[problem].TextEn, test.says)):
				t.Errorf("found %+v", got.Findings)
			}
		})
	}
}

// Where nobody answers, it is said why, and nothing is pushed.
func TestExamineAbsentServers(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secret := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secret.Close)
	secret.Config.ErrorLog = nil
	open := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(open.Close)
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	for address, says := range map[string]string{
		gone.URL: "connection was refused", secret.URL: "TLS handshake failed", hanging.URL: "no answer within", "http://no-such-host.invalid/": "can't be resolved",
		strings.Replace(gone.URL, "http:", "https:", 1): "connection was refused", strings.Replace(open.URL, "http:", "https:", 1): "TLS handshake failed",
	} {
		platform := Start(t, func(options *Options) { options.Delivery.Timeout = testTimeout })
		if strings.Contains(address, "invalid") || strings.HasPrefix(address, "https:") {
			platform.options.Delivery.Timeout = DefaultTimeout
		}
		if err := platform.SetCallback("", address, ""); err != nil {
			t.Fatal(err)
		}
		got, err := platform.Examine(t.Context(), "")
		if err != nil || got.OK || !strings.Contains(got.Findings[len(got.Findings)-1].TextEn, says) {
			t.Errorf("%s: %+v, error %v", address, got.Findings, err)
		}
		if len(platform.Pushes(1)) != 0 {
			t.Errorf("%s: something was pushed", address)
		}
	}
}

func TestExamineOverHTTP(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, rightServer(t, nil))
	if got := steer(t, platform, http.MethodPost, "examine", `{"get_only":true}`, http.StatusOK); got["ok"] != true || len(platform.Pushes(1)) != 0 {
		t.Errorf("%v", got)
	}
	if got := steer(t, platform, http.MethodPost, "examine", `{"modes":["plain","safe"]}`, http.StatusOK); got["ok"] != true || len(platform.Pushes(9)) != 2 {
		t.Errorf("%v", got)
	}
	steer(t, platform, http.MethodPost, "examine", `{"modes":["x"]}`, http.StatusBadRequest)
	steer(t, platform, http.MethodPost, "examine", `{"account":"x"}`, http.StatusBadRequest)
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := platform.Examine(given, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
