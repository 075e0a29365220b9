package simulator

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// accountView is an account without its secrets.
type accountView struct {
	Kind        AccountKind `json:"kind,omitempty"`
	AppID       string      `json:"app_id"`
	OriginalID  string      `json:"original_id"`
	Mode        Mode        `json:"mode"`
	Format      Format      `json:"format"`
	CallbackURL string      `json:"callback_url"`
	MessageURL  string      `json:"message_url,omitempty"`
}

func (p *Platform) listAccounts(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]any{"accounts": p.accountViews()}, nil
}

func (p *Platform) accountViews() []accountView {
	p.mu.Lock()
	defer p.mu.Unlock()
	views := make([]accountView, 0, len(p.state.order))
	for _, appID := range p.state.order {
		account := p.state.accounts[appID]
		views = append(views, accountView{
			Kind: account.Kind, AppID: account.AppID, OriginalID: account.OriginalID, Mode: account.Mode, Format: account.Format,
			CallbackURL: account.CallbackURL, MessageURL: account.MessageURL,
		})
	}

	return views
}

func (p *Platform) appIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()

	return slices.Clone(p.state.order)
}

func (p *Platform) listFollowers(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]any{"followers": p.Followers()}, nil
}

// showChat answers at once, or, with at_least and wait_ms, when the chat has grown.
func (p *Platform) showChat(_ http.ResponseWriter, r *http.Request) (any, error) {
	atLeast, wait := 0, time.Duration(0)
	for name, into := range map[string]func(int){
		"at_least": func(number int) { atLeast = number },
		"wait_ms":  func(number int) { wait = time.Duration(number) * time.Millisecond },
	} {
		text := r.URL.Query().Get(name)
		if text == "" {
			continue
		}
		number, err := strconv.Atoi(text)
		if err != nil || number < 0 {
			return nil, fmt.Errorf("%w: %s %q must be a number", ErrInvalid, name, text)
		}
		into(number)
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(wait, maxChatWait))
	defer cancel()
	lines, err := p.WaitChat(ctx, r.PathValue("openid"), atLeast)
	if err != nil {
		// Whoever waits looks at the lines and sees that there are too few.
		p.options.Logger.DebugContext(ctx, "chat did not grow in time", "error", err)
	}
	if lines == nil {
		lines = []ChatEntry{}
	}

	return map[string]any{"chat": lines}, nil
}

func (p *Platform) listPushes(_ http.ResponseWriter, r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}

	return map[string]any{"pushes": p.Pushes(limit), "pending": p.PendingPushes()}, nil
}

func (p *Platform) listTypes(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]any{"types": p.Types()}, nil
}

// listCalls shows the newest calls first, of one path if asked.
func (p *Platform) listCalls(_ http.ResponseWriter, r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	calls := p.Calls()
	slices.Reverse(calls)
	if path := r.URL.Query().Get("path"); path != "" {
		calls = slices.DeleteFunc(calls, func(call Call) bool { return call.Path != path })
	}

	return map[string]any{"total": len(calls), "calls": calls[:min(limit, len(calls))]}, nil
}

// listTokens reports all accounts, or one. With reveal=true it shows the values,
// for tests that search logs for them.
func (p *Platform) listTokens(_ http.ResponseWriter, r *http.Request) (any, error) {
	read := p.Tokens
	if r.URL.Query().Get("reveal") == "true" {
		read = p.RevealTokens
	}
	appIDs := []string{r.URL.Query().Get("account")}
	if appIDs[0] == "" {
		appIDs = p.appIDs()
	}
	reports := make([]TokenReport, 0, len(appIDs))
	for _, appID := range appIDs {
		report, err := read(appID)
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}

	return map[string]any{"accounts": reports}, nil
}

func (p *Platform) listFaults(http.ResponseWriter, *http.Request) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := make([]faultRequest, 0, len(p.state.faults.faults))
	for _, fault := range p.state.faults.faults {
		faults = append(faults, describeFault(fault))
	}

	return map[string]any{"faults": faults}, nil
}
