package simulator

import (
	"context"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// ticketInterval is how often WeChat pushes a component_verify_ticket (验证票据推送).
const ticketInterval = 10 * time.Minute

// startTicketPush serves POST /cgi-bin/component/api_start_push_ticket: a ticket is pushed at once, and one every ten
// minutes while the platform runs. Without the call, a lever pushes tickets.
func (p *Platform) startTicketPush(r *apiRequest) apiAnswer {
	var asked struct {
		AppID  string `json:"component_appid"`
		Secret string `json:"component_secret"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	platform, code := p.authenticateAs(KindPlatform, credentials{AppID: asked.AppID, Secret: asked.Secret})
	if code == errcode.OK && !platform.ticketsPushed {
		platform.ticketsPushed = true
		select {
		case p.ticketReceivers <- platform.AppID:
		default: // As many as there can be accounts are waiting already.
		}
	}

	return refuse(code)
}

// pushTickets pushes to the platforms that just asked for tickets at once, and to all that ever asked every ten minutes,
// until ctx ends.
func pushTickets(ctx context.Context, asking <-chan string, asked func() []string, push func(appID string)) {
	ticker := time.NewTicker(ticketInterval)
	defer ticker.Stop()
	for {
		select {
		case appID := <-asking:
			push(appID)
		case <-ticker.C:
			for _, appID := range asked() {
				push(appID)
			}
		case <-ctx.Done():
			return
		}
	}
}

// pushTicket pushes a ticket. A platform that doesn't take it gets the next one.
func (p *Platform) pushTicket(ctx context.Context, appID string) {
	if err := p.PushVerifyTicket(ctx, appID); err != nil {
		p.options.Logger.WarnContext(ctx, "verify ticket wasn't taken", "app_id", appID, "error", err)
	}
}

// ticketPlatforms are the platforms that asked for tickets.
func (p *Platform) ticketPlatforms() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var asked []string
	for _, appID := range p.state.order {
		if p.state.accounts[appID].ticketsPushed {
			asked = append(asked, appID)
		}
	}

	return asked
}
