// Command token-center is the AccessToken central control (AccessToken 中控服务器): it obtains, renews and
// distributes the access tokens of all accounts.
package main

import (
	"context"

	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokencenter "github.com/wxstack/wxstack/services/token-center"
)

func main() {
	var cfg tokencenter.Config
	lifecycle.Main(lifecycle.Program{
		Name:        "token-center",
		Description: "AccessToken central control (中控服务器): one owner of every account's token.",
		Settings:    &cfg,
		Commands:    []lifecycle.Command{tokencenter.DoctorCommand(&cfg)},
		Build: func(ctx context.Context, tel *telemetry.Telemetry) (lifecycle.Part, error) {
			return tokencenter.New(ctx, cfg, tel)
		},
	})
}
