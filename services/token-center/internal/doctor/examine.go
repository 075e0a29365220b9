package doctor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/services/token-center/internal/store"
)

// Store is where tokens are kept; package store has one.
type Store interface {
	Load(ctx context.Context, key credential.Key) (credential.Credential, error)
}

// Ledger counts what we allow ourselves; package spend has one.
type Ledger interface {
	Take(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (time.Duration, error)
	Spent(ctx context.Context, key credential.Key, limit spend.Limit, now time.Time) (int, error)
}

// Account is an account that can be examined.
type Account struct {
	Key  credential.Key
	Spec kind.Spec
	// Official says that it is an Official Account (公众号) with an AppSecret of its own. Of the others no
	// more is examined than whether they get their token: their AppIDs, APIs and rights are other ones.
	Official bool
	// Token returns a token that is alive, fetching one where there is none, but never by force.
	Token func(ctx context.Context) (credential.Credential, error)
	// Problem tells what is known to be wrong with the token; empty while all is well.
	Problem func() string
}

// Config is what a Doctor works with. All fields are required.
type Config struct {
	// Ping asks Redis whether it is there.
	Ping func(ctx context.Context) error
	// Sealed says that tokens are encrypted in Redis.
	Sealed bool
	Store  Store
	Ledger Ledger
	API    *API
	// Accounts returns the accounts of the moment.
	Accounts func() []Account
}

// Doctor examines accounts.
type Doctor struct{ Config }

// New returns a Doctor.
func New(cfg Config) *Doctor { return &Doctor{cfg} }

// questions bounds how often an account's APIs are asked, by all replicas together: each examination is
// some of what WeChat allows a day, and of the follower list that is only 500.
var questions = spend.Limit{Name: "diagnosis", Burst: 3, Span: time.Minute, PerDay: 100}

// atOnce is how many accounts are examined at the same time.
const atOnce = 8

// Examine returns the findings about token-center and about the accounts named, or about all when none is.
func (d *Doctor) Examine(ctx context.Context, appIDs []string) []Finding {
	h := house{redis: d.Ping(ctx), sealed: d.Sealed}
	accounts, unknown := d.choose(appIDs)
	results := make([][]Finding, len(accounts))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, a := range accounts {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = judge(d.gather(ctx, a))
		})
	}
	wg.Wait()
	return slices.Concat(append([][]Finding{judgeHouse(h), unknown}, results...)...)
}

// choose finds the accounts named. An unknown one is a finding.
func (d *Doctor) choose(appIDs []string) (chosen []Account, unknown []Finding) {
	all := d.Accounts()
	if len(appIDs) == 0 {
		return all, nil
	}
	for _, appID := range appIDs {
		i := slices.IndexFunc(all, func(a Account) bool { return a.Key.AppID == appID })
		if i < 0 {
			unknown = append(unknown, Finding{
				AppID: credential.ShownAppID(appID), Check: checkAppID, Severity: Fault, Text: "is not in the accounts file", Remedy: "add the account to WX_ACCOUNTS_FILE, or correct the AppID",
			})
			continue
		}
		chosen = append(chosen, all[i])
	}
	return chosen, unknown
}

// gather asks everybody about one account.
func (d *Doctor) gather(ctx context.Context, a Account) facts {
	f := facts{appID: a.Key.AppID, official: a.Official, now: time.Now()}
	limits := a.Spec.Limits
	for _, limit := range []spend.Limit{limits.Fetch, limits.Passive, limits.Forced} {
		if limit.PerDay == 0 {
			continue // nothing of that sort is asked.
		}
		if spent, err := d.Ledger.Spent(ctx, a.Key, limit, f.now); err == nil { // otherwise Redis is down, which is told.
			f.budgets = append(f.budgets, budget{limit.Name, spent, limit.PerDay})
		}
	}
	// What cannot be read must not be replaced by a diagnosis, which may well have the wrong key itself.
	if _, f.stored = d.Store.Load(ctx, a.Key); errors.Is(f.stored, store.ErrUnreadable) {
		return f
	}
	f.token, f.tokenErr = a.Token(ctx)
	f.problem = a.Problem()
	if f.tokenErr != nil || !a.Official {
		return f
	}
	f.now = time.Now()
	if f.unasked = d.mayAsk(ctx, a.Key); f.unasked == nil {
		d.ask(ctx, a, &f)
	}
	return f
}

func (d *Doctor) mayAsk(ctx context.Context, key credential.Key) error {
	wait, err := d.Ledger.Take(ctx, key, questions, time.Now())
	switch {
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "without Redis nobody counts how often WeChat is asked")
	case wait > 0:
		return fault.New(fault.Throttled, "this account has been examined often enough (%d times in %v, %d a day); wait %v",
			questions.Burst, questions.Span, questions.PerDay, wait.Round(time.Second))
	}
	return nil
}

// reads are harmless calls by which a right (接口权限) shows.
var reads = []struct{ path, name string }{
	{"/cgi-bin/get_current_selfmenu_info", "the menu (自定义菜单)"},
	{"/cgi-bin/user/get", "followers (用户管理)"},
	{"/cgi-bin/customservice/getkflist", "customer service (客服消息)"},
}

// ask asks WeChat everything else.
func (d *Doctor) ask(ctx context.Context, a Account, f *facts) {
	token := f.token.Value
	for _, read := range reads {
		got := d.API.get(ctx, read.path, token)
		f.rights = append(f.rights, right{read.name, got})
		if got.err != nil {
			return // one who cannot be reached need not be asked more.
		}
		f.clock = clockOf(got)
	}
	fetch := "/cgi-bin/stable_token"
	if a.Spec.Source == kind.Classic().Source {
		fetch = "/cgi-bin/token"
	}
	for _, path := range []string{fetch, "/cgi-bin/message/custom/send"} {
		f.quotas = append(f.quotas, parseQuota(path, d.API.post(ctx, "/cgi-bin/openapi/quota/get", token, map[string]string{"cgi_path": path})))
	}
	f.callback = parseCallback(d.API.post(ctx, "/cgi-bin/callback/check", token, map[string]string{"action": "all", "check_operator": "DEFAULT"}))
}
