package tokencenter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/redisconn"
	"github.com/wxstack/wxstack/chassis/telemetry"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/doctor"
	"github.com/wxstack/wxstack/services/token-center/internal/kind"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
	"github.com/wxstack/wxstack/services/token-center/internal/server"
	"github.com/wxstack/wxstack/services/token-center/internal/spend"
	"github.com/wxstack/wxstack/wechat/account"
)

// doctor returns one for the accounts that the service has at the time, which gets their tokens by way of token.
func (s *Service) doctor(token func(*refresh.Refresher, context.Context) (credential.Credential, error)) *doctor.Doctor {
	return doctor.New(doctor.Config{
		Ping: redisconn.Ping(s.redis), Sealed: s.sealed, Store: s.store, Ledger: spend.NewRedis(s.redis), API: s.api,
		Accounts: func() []doctor.Account {
			shown := s.house.Load().shown
			accounts := make([]doctor.Account, 0, len(shown))
			for _, a := range shown {
				keeper := rootOf(a)
				accounts = append(accounts, doctor.Account{
					Key: keeper.Key, Spec: keeper.Spec, Official: isOfficial(a),
					Token:   func(ctx context.Context) (credential.Credential, error) { return token(keeper, ctx) },
					Problem: func() string { return keeper.Status().Problem },
				})
			}
			return accounts
		},
	})
}

// rootOf returns the keeper of the credential from which all others of the account come.
func rootOf(a server.Account) *refresh.Refresher {
	for _, root := range []credential.Kind{credential.WorkAccessToken, credential.ComponentAccessToken} {
		if keeper, ok := a.Credentials[root]; ok {
			return keeper
		}
	}
	return a.Credentials[credential.AccessToken]
}

// isOfficial reports whether an account is an Official Account (公众号) with an AppSecret of its own.
func isOfficial(a server.Account) bool {
	return (a.Kind == string(account.KindService) || a.Kind == string(account.KindSubscription)) && a.TokenAPI != kind.Authorizer().Source
}

// doctorFlags are those of the command doctor.
type doctorFlags struct {
	Account string `name:"account" help:"AppID of the account to examine. Empty: all."`
	JSON    bool   `name:"json" help:"Print the findings as JSON."`
}

// doctorTimeout bounds an examination.
const doctorTimeout = 60 * time.Second

// errSick makes the exit code 1.
var errSick = errors.New("something does not work; see the lines that begin with fault")

// DoctorCommand is the command doctor: it examines the accounts with the settings of cfg and prints one line
// for each finding. It needs no running service, and does no harm to one: it acts as one more replica, which
// serves nobody.
func DoctorCommand(cfg *Config) lifecycle.Command {
	flags := new(doctorFlags)
	return lifecycle.Command{
		Command: config.Command{
			Name: "doctor", Flags: flags,
			Help: "Examine accounts, WeChat, Redis and the clock, and say what is wrong and where to mend it; exit code 1 means that something is.",
		},
		Run: func(ctx context.Context, out io.Writer) error {
			ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
			defer cancel()
			findings, err := examine(ctx, *cfg, flags.Account)
			if err != nil {
				return err
			}
			if err := printFindings(out, findings, flags.JSON); err != nil {
				return err
			}
			if doctor.HasFault(findings) {
				return errSick
			}
			return nil
		},
	}
}

func examine(ctx context.Context, cfg Config, appID string) ([]doctor.Finding, error) {
	cfg.CacheFile = "" // it belongs to the service that may be running here.
	s, err := furnish(cfg, telemetry.Discard())
	if err != nil {
		return nil, err
	}
	var appIDs []string
	if appID != "" {
		appIDs = []string{appID}
	}
	running, stop := context.WithCancel(ctx)
	attending := attendance{running: map[*refresh.Refresher]bool{}}
	findings := s.doctor(func(keeper *refresh.Refresher, ctx context.Context) (credential.Credential, error) {
		attending.begin(running, keeper)
		return keeper.Get(ctx)
	}).Examine(ctx, appIDs)
	stop()
	attending.work.Wait()
	return findings, s.close()
}

// attendance runs keepers that no service runs, for as long as an examination takes.
type attendance struct {
	work    sync.WaitGroup
	mu      sync.Mutex
	running map[*refresh.Refresher]bool
}

// begin runs a keeper until ctx is done, unless it runs already, and so the one whose credential its requests
// carry.
func (a *attendance) begin(ctx context.Context, keeper *refresh.Refresher) {
	if parent, ok := keeper.Parent.(*refresh.Refresher); ok {
		a.begin(ctx, parent)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running[keeper] {
		return
	}
	a.running[keeper] = true
	a.work.Go(func() { _ = keeper.Run(ctx) }) // it ends with ctx, never with an error.
}

// printFindings writes findings for people, or for programs.
func printFindings(out io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"findings": findings})
	}
	var text strings.Builder
	for _, f := range findings {
		about := f.AppID
		if about == "" {
			about = "token-center"
		}
		fmt.Fprintf(&text, "%-7s  %-18s  %-13s  %s", f.Severity, about, f.Check, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(&text, "; %s", f.Remedy)
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(out, text.String())
	return err
}
