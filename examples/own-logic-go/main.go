// Command own-logic-go is a model for logic of your own: an account book (记账本) that followers write to. It is what
// no rule file can be, because it remembers and computes. README.md tells how to run it, docs/own-logic.md what the
// gateway expects of such a program.
package main

import (
	"context"
	"errors"

	"github.com/wxstack/wxstack/responder"
)

// settings are the program's own; --help lists them beside those of responder.Main.
type settings struct {
	Account string `name:"account" env:"LEDGER_ACCOUNT" default:"wxdev0000000000001" help:"AppID or original id of the account that has the account book."`
	Budget  int    `name:"budget" env:"LEDGER_BUDGET" default:"100" help:"What a follower may spend before being warned, in yuan."`
}

// Check implements lifecycle.Settings.
func (s *settings) Check() error {
	if s.Budget <= 0 {
		return errors.New("LEDGER_BUDGET: must be more than 0 yuan")
	}
	return nil
}

func main() {
	var cfg settings
	responder.Main(responder.Program{
		Name: "own-logic-go", Description: "Keeps an account book for each follower.", Settings: &cfg,
		Build: func(_ context.Context, host responder.Host) (responder.Handler, error) {
			outbox := newOutbox(host.APIProxy, host.Telemetry.Log)
			host.Parts.Add("outbox", outbox)
			return answers(cfg, outbox, host), nil
		},
	})
}

// answers is who answers whom, and what all answers have in common.
func answers(cfg settings, outbox *outbox, host responder.Host) responder.Handler {
	book := &handler{ledger: newLedger(), budget: cfg.Budget, outbox: outbox}
	elsewhere := responder.Always(responder.Text("这个公众号不记账。"))
	return responder.Chain(
		responder.ByAccount(
			map[string]responder.Handler{cfg.Account: responder.Chain(book, responder.Named("ledger"))},
			responder.Chain(elsewhere, responder.Named("elsewhere")),
		),
		responder.Fallback(responder.Text("记账本出了点问题，请稍后再试。"), host.Telemetry.Log),
		responder.Metrics(host.Telemetry.Metrics), // within, so that what the fallback covers counts as failed
	)
}
