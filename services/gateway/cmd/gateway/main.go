// Command gateway verifies and answers what WeChat pushes. See the README of services/gateway.
package main

import (
	"context"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"
	gateway "github.com/wxstack/wxstack/services/gateway"
)

func main() {
	var cfg gateway.Config
	lifecycle.Main(lifecycle.Program{
		Name:        "gateway",
		Description: "Verifies what WeChat pushes, asks logic for the reply and answers within WeChat's time limits.",
		Settings:    &cfg,
		Commands:    []lifecycle.Command{gateway.ReplayCommand(&cfg)},
		Build: func(ctx context.Context, tel *telemetry.Telemetry) (lifecycle.Part, error) {
			return gateway.New(ctx, cfg, tel)
		},
	})
}
