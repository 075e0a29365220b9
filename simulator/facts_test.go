package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// The tests named TestFacts… go through what is known of WeChat, one subtest for each fact. Its name begins with how sure
// the fact is: (O) read in an official page, (S) in the getting-started guide, (K) in an SDK's source, (C) community
// knowledge, (V) computed, (M) not re-read, (≠) sources disagree, (?) undocumented. docs/simulator-divergences.md says
// where the simulator had to choose.

// facts are subtests by the name of their fact, each with a platform of its own.
type facts map[string]func(t *testing.T, w *world)

func (f facts) run(t *testing.T) {
	t.Helper()
	for name, check := range f {
		if !strings.HasPrefix(name, "(") {
			t.Errorf("%q doesn't begin with its mark", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, newWorld(t))
		})
	}
}

// world is a platform with an account, and somebody who calls its API.
type world struct {
	*Platform

	t     *testing.T
	book  *token.Book  // A book of its own, for facts about time alone.
	calls *quota.Calls // Of the book.
	token string       // Fetched on first use.

	server string // Of the account, once the follower did something.
}

func newWorld(t *testing.T) *world {
	t.Helper()

	calls := quota.NewCalls(false)

	return &world{Platform: startComponent(t, ""), t: t, book: token.NewBook("wx", calls), calls: calls}
}

// call calls an API with the account's stable token. A body makes it a POST.
func (w *world) call(path, body string) map[string]any {
	w.t.Helper()
	if w.token == "" {
		w.token = stableToken(w.t, w.Platform)
	}
	path, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		w.t.Fatal(err)
	}
	values.Set("access_token", w.token)

	return w.plain(path, values, body)
}

// plain calls an API without adding anything.
func (w *world) plain(path string, query url.Values, body string) map[string]any {
	w.t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}

	return api(w.t, w.Platform, method, path, query, body)
}

// want checks the errcode of an answer.
func (w *world) want(given map[string]any, code errcode.Code) {
	w.t.Helper()
	if got := errCode(given); got != int(code) {
		w.t.Errorf("errcode %d (%v), want %d", got, given["errmsg"], code)
	}
}

// classic asks for a token the classic way, with the parameters changed.
func (w *world) classic(changes ...string) map[string]any {
	w.t.Helper()
	query := url.Values{"grant_type": {grantClient}, "appid": {DefaultAppID}, "secret": {DefaultAccount().AppSecret}}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		query.Set(name, value)
		if value == "" {
			query.Del(name)
		}
	}

	return w.plain(quota.PathClassic, query, "")
}

// stable asks for a stable token.
func (w *world) stable(force bool) map[string]any {
	w.t.Helper()

	return w.plain(quota.PathStable, nil, stableBody(force))
}

// good checks that the account's APIs take a token, or refuse it with a code.
func (w *world) good(token any, code errcode.Code) {
	w.t.Helper()
	w.want(w.plain("/cgi-bin/getcallbackip", withToken(fmt.Sprint(token)), ""), code)
}

// later moves the platform's clock.
func (w *world) later(by time.Duration) {
	w.t.Helper()
	if err := w.AdvanceClock(by); err != nil {
		w.t.Fatal(err)
	}
}

// follow makes somebody follow an account.
func (w *world) follow(openID, appID string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.state.accounts[appID].follower(openID, w.state.clock.now()); err != nil {
		w.t.Fatal(err)
	}
}
