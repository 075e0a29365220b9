// Command api-proxy is the only way out to WeChat's API.
package main

import (
	"context"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"

	apiproxy "github.com/wxstack/wxstack/services/api-proxy"
)

func main() {
	var cfg apiproxy.Config
	lifecycle.Main(lifecycle.Program{
		Name:        "api-proxy",
		Description: "Forwards calls to WeChat's API with the account's current access token.",
		Settings:    &cfg,
		Build: func(ctx context.Context, tel *telemetry.Telemetry) (lifecycle.Part, error) {
			return apiproxy.New(ctx, cfg, tel)
		},
	})
}
