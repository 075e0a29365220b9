package doctor

import (
	"context"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
)

// Server adds Diagnose to a TokenService that has the other methods.
type Server struct {
	tokenv1.TokenServiceServer

	Doctor *Doctor
}

// Diagnose implements TokenService.
func (s Server) Diagnose(ctx context.Context, req *tokenv1.DiagnoseRequest) (*tokenv1.DiagnoseResponse, error) {
	resp := &tokenv1.DiagnoseResponse{}
	for _, f := range s.Doctor.Examine(ctx, req.GetAppIds()) {
		resp.Findings = append(resp.Findings, &tokenv1.Finding{
			AppId: f.AppID, Check: f.Check, Severity: f.Severity.wire(), Text: f.Text, Remedy: f.Remedy,
		})
	}
	return resp, nil
}

func (s Severity) wire() tokenv1.Finding_Severity {
	switch s {
	case OK:
		return tokenv1.Finding_SEVERITY_OK
	case Warning:
		return tokenv1.Finding_SEVERITY_WARNING
	case Fault:
		return tokenv1.Finding_SEVERITY_FAULT
	}
	return tokenv1.Finding_SEVERITY_UNSPECIFIED
}
