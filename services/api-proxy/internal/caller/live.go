package caller

import (
	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
)

// Live are the callers in force, as callers.Live follows them.
type Live struct{ *callers.Live[*Directory] }

// Open loads the callers, as Load does.
func Open(path string, table *endpoint.Table, tel *telemetry.Telemetry) (*Live, error) {
	live, err := callers.Open(path, "apiproxy_caller_reloads_total",
		func(files *config.Files) (*Directory, error) { return load(files, path, table) }, tel)
	if err != nil {
		return nil, err
	}
	return &Live{live}, nil
}

// Identify returns who a call comes from, by the callers in force.
func (l *Live) Identify(from rpc.Caller) (Caller, error) { return l.Current().Identify(from) }
