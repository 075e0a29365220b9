// Command logic serves LogicService: it decides what followers are answered.
package main

import (
	"context"
	"slices"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/logic"
)

func main() {
	var cfg logic.Config
	lifecycle.Main(lifecycle.Program{
		Name:        "logic",
		Description: "Decides what followers of a WeChat Official Account are answered, by a file of rules.",
		Settings:    &cfg,
		Commands:    slices.Concat(logic.RulesCommands(&cfg), logic.MenuCommands(&cfg)),
		Build: func(ctx context.Context, tel *telemetry.Telemetry) (lifecycle.Part, error) {
			return logic.New(ctx, cfg, tel)
		},
	})
}
