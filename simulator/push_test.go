package simulator

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// behaviour is how an account's server answers the delivery of that number.
type behaviour func(w http.ResponseWriter, r *http.Request, delivery int32)

func hang(_ http.ResponseWriter, r *http.Request, _ int32) {
	_, _ = io.Copy(io.Discard, r.Body) // The server notices a closed connection only after that.
	<-r.Context().Done()
}

func say(status int, body string) behaviour {
	return func(w http.ResponseWriter, _ *http.Request, _ int32) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func firstThen(count int32, first, then behaviour) behaviour {
	return func(w http.ResponseWriter, r *http.Request, delivery int32) {
		if delivery <= count {
			first(w, r, delivery)
		} else {
			then(w, r, delivery)
		}
	}
}

func drop(w http.ResponseWriter, _ *http.Request, _ int32) { dropConnection(w) }

// TestPushDeliveries covers inbound.md section 4: five seconds, three deliveries,
// and what the follower sees.
func TestPushDeliveries(t *testing.T) {
	t.Parallel()
	click := Push{Type: TypeEvent, Event: EventClick, EventKey: "K"}
	cases := map[string]struct {
		behaviour behaviour
		push      Push
		outcome   Outcome
		verdicts  []Verdict
		seen      []string
	}{
		"reply":             {say(200, plainReply("好")), Push{Content: "x"}, OutcomeShown, []Verdict{VerdictShown}, []string{"好"}},
		"success":           {say(200, "success"), Push{Content: "x"}, OutcomeSilent, []Verdict{VerdictSilent}, nil},
		"empty":             {say(200, ""), Push{Content: "x"}, OutcomeSilent, []Verdict{VerdictSilent}, nil},
		"json is invalid":   {say(200, `{"a":1}`), Push{Content: "x"}, OutcomeFailed, []Verdict{VerdictInvalid}, []string{Notice}},
		"second delivery":   {firstThen(1, hang, say(200, plainReply("二"))), Push{Content: "x"}, OutcomeShown, []Verdict{VerdictNoAnswer, VerdictShown}, []string{"二"}},
		"last delivery":     {firstThen(2, hang, say(200, plainReply("三"))), click, OutcomeShown, []Verdict{VerdictNoAnswer, VerdictNoAnswer, VerdictShown}, []string{"三"}},
		"never":             {hang, Push{Content: "x"}, OutcomeFailed, []Verdict{VerdictNoAnswer, VerdictNoAnswer, VerdictNoAnswer}, []string{Notice}},
		"server error":      {firstThen(1, say(500, plainReply("no")), say(200, "success")), Push{Content: "x"}, OutcomeSilent, []Verdict{VerdictNoAnswer, VerdictSilent}, nil},
		"dropped":           {firstThen(1, drop, say(200, "success")), Push{Content: "x"}, OutcomeSilent, []Verdict{VerdictNoAnswer, VerdictSilent}, nil},
		"redirect":          {say(302, ""), Push{Content: "x"}, OutcomeFailed, []Verdict{VerdictNoAnswer, VerdictNoAnswer, VerdictNoAnswer}, []string{Notice}},
		"unknown event":     {say(200, plainReply("x")), Push{Type: TypeEvent, Event: EventView, EventKey: "u"}, OutcomeSilent, []Verdict{VerdictSilent}, nil},
		"leaving, no reply": {say(500, ""), Push{Type: TypeEvent, Event: EventUnsubscribe}, OutcomeFailed, []Verdict{VerdictNoAnswer, VerdictNoAnswer, VerdictNoAnswer}, nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var deliveries atomic.Int32
			platform := startAccount(t, ModePlain, func(w http.ResponseWriter, r *http.Request) {
				test.behaviour(w, r, deliveries.Add(1))
			})
			result, err := platform.Push(t.Context(), test.push)
			if err != nil {
				t.Fatal(err)
			}
			var verdicts []Verdict
			for _, delivery := range result.Deliveries {
				verdicts = append(verdicts, delivery.Verdict)
				if delivery.Reason == "" || delivery.ReasonZh == "" || delivery.Code == "" || delivery.RequestBody == "" || delivery.RequestURL == "" {
					t.Errorf("delivery %d lacks its reason or request: %+v", delivery.Attempt, delivery)
				}
			}
			var seen []string
			for _, line := range result.Shown {
				seen = append(seen, line.Text)
			}
			if diff := cmp.Diff(test.verdicts, verdicts); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.seen, seen); diff != "" {
				t.Errorf("what the follower saw (-want +got):\n%s", diff)
			}
			if result.Outcome != test.outcome {
				t.Errorf("outcome = %s, want %s", result.Outcome, test.outcome)
			}
			if lines := platform.Chat(DefaultFollower); len(lines) != 1+len(test.seen) {
				t.Errorf("chat has %d lines, want the follower's and %d answers: %+v", len(lines), len(test.seen), lines)
			}
		})
	}
}

// TestDeliveriesAreTheSame covers inbound.md section 4: a repeated delivery carries
// the same message, on a connection of its own.
func TestDeliveriesAreTheSame(t *testing.T) {
	t.Parallel()
	var seen []string
	var peers []string
	platform := startAccount(t, ModeSafe, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen, peers = append(seen, r.URL.RawQuery+string(body)), append(peers, r.RemoteAddr)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if _, err := platform.Push(t.Context(), Push{Content: "x"}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != DefaultAttempts || seen[0] != seen[1] || seen[1] != seen[2] {
		t.Errorf("%d deliveries, want %d equal ones:\n%s", len(seen), DefaultAttempts, strings.Join(seen, "\n"))
	}
	if len(peers) == DefaultAttempts && (peers[0] == peers[1] || peers[1] == peers[2]) {
		t.Errorf("deliveries shared a connection: %v", peers)
	}
}

// TestPushOnTheWire covers inbound.md section 3: parameters and bodies per mode.
func TestPushOnTheWire(t *testing.T) {
	t.Parallel()
	account := DefaultAccount()
	cipher, err := msgcrypt.New(account.AppID, account.CallbackToken, account.EncodingAESKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []Mode{ModePlain, ModeCompatible, ModeSafe} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			platform := startAccount(t, mode, func(w http.ResponseWriter, r *http.Request) {
				query := r.URL.Query()
				if !signature.Verify(query.Get("signature"), account.CallbackToken, query.Get("timestamp"), query.Get("nonce")) {
					t.Error("signature is wrong")
				}
				if query.Get("openid") != DefaultFollower {
					t.Errorf("openid = %q", query.Get("openid"))
				}
				body, _ := io.ReadAll(r.Body)
				if got, want := query.Get("encrypt_type") == "aes", mode.encrypts(); got != want {
					t.Errorf("encrypt_type = %q in %s mode", query.Get("encrypt_type"), mode)
				}
				if got, want := strings.Contains(string(body), "<Content>"), mode != ModeSafe; got != want {
					t.Errorf("clear text present = %t, want %t", got, want)
				}
				if mode.encrypts() {
					if _, err := cipher.Open(query.Get("msg_signature"), query.Get("timestamp"), query.Get("nonce"), encryptedIn(t, body)); err != nil {
						t.Error(err)
					}
				}
				_, _ = io.WriteString(w, "success")
			})
			result, err := platform.Push(t.Context(), Push{Content: "你好"})
			if err != nil || result.Outcome != OutcomeSilent {
				t.Errorf("outcome %s, error %v", result.Outcome, err)
			}
		})
	}
}

func TestPushRefusesNonsense(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	for name, push := range map[string]Push{
		"empty text":      {},
		"unknown type":    {Type: "smell"},
		"unknown field":   {Content: "x", Fields: map[string]string{"Contnet": "x"}},
		"unknown notice":  {Account: DefaultAppID, InfoType: "authorized"},
		"media of a text": {Content: "x", Media: []byte("x")},
		"bad format":      {Content: "x", Format: "yaml"},
		"bad URL":         {Content: "x", URL: "wx"},
		"bad document":    {XML: "<xml><a></xml>"},
		"unknown event":   {Type: TypeEvent, Event: "click"},
		"click, no key":   {Type: TypeEvent, Event: EventClick},
		"unknown account": {Account: "wx", Content: "x"},
		"bad openid":      {From: "no spaces", Content: "x"},
		"bad mode":        {Mode: "aes", Content: "x"},
		"not a picture":   {Type: TypeImage, Media: []byte("text")},
	} {
		if _, err := platform.Push(t.Context(), push); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error %v, want ErrInvalid", name, err)
		}
	}
}

func TestRefusedConnectionIsNoAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	platform := Start(t)
	if err := platform.SetCallback("", server.URL, ModePlain); err != nil {
		t.Fatal(err)
	}
	result, err := platform.Push(t.Context(), Push{Content: "x"})
	if err != nil || !result.Noticed() || len(result.Deliveries) != DefaultAttempts {
		t.Errorf("error %v, noticed %t, %d deliveries", err, result.Noticed(), len(result.Deliveries))
	}
}

// TestVerify covers inbound.md section 2.
func TestVerify(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		suffix string
		ok     bool
	}{"exact": {"", true}, "newline": {"\n", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := startAccount(t, ModeSafe, func(w http.ResponseWriter, r *http.Request) {
				query := r.URL.Query()
				if !signature.Verify(query.Get("signature"), DefaultAccount().CallbackToken, query.Get("timestamp"), query.Get("nonce")) {
					t.Error("signature is wrong")
				}
				_, _ = io.WriteString(w, query.Get("echostr")+test.suffix)
			})
			result, err := platform.Verify(t.Context(), "")
			if err != nil || result.OK != test.ok {
				t.Errorf("ok = %t (%s), want %t; error %v", result.OK, result.Reason, test.ok, err)
			}
		})
	}
}

func TestTakenPortIsAnError(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if _, err := New(Options{Addr: listener.Addr().String()}); err == nil || !strings.Contains(err.Error(), "free the port") {
		t.Errorf("error = %v", err)
	}
}

// TestPushesComeFromAListedAddress lets a server that goes by getcallbackip be tried: inbound.md section 8.
func TestPushesComeFromAListedAddress(t *testing.T) {
	t.Parallel()
	callers := make(chan string, 1)
	platform := startAccount(t, ModePlain, func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		callers <- host
		_, _ = io.WriteString(w, "success")
	})
	if _, err := platform.Push(t.Context(), Push{Content: "x"}); err != nil {
		t.Fatal(err)
	}
	caller := <-callers
	list, _ := api(t, platform, http.MethodGet, "/cgi-bin/getcallbackip", withToken(stableToken(t, platform)), "")["ip_list"].([]any)
	if !slices.Contains(list, any(caller)) {
		t.Errorf("the push came from %s, the list is %v", caller, list)
	}
}
