package simulator

import "net/http"

// componentLever names a third-party platform and what its levers need.
type componentLever struct {
	Platform    string `json:"platform"`
	Authorizer  string `json:"authorizer"`
	PreAuthCode string `json:"pre_auth_code"`
	Push        bool   `json:"push"`
	// Permissions are the permission sets (权限集) that an authorisation grants; none means all.
	Permissions []PermissionSet `json:"func_info"`
}

func (p *Platform) controlTicket(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked componentLever
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	if asked.Push {
		return done{OK: true}, p.PushVerifyTicket(r.Context(), asked.Platform)
	}
	ticket, err := p.IssueVerifyTicket(asked.Platform)

	return map[string]string{"component_verify_ticket": ticket}, err
}

func (p *Platform) controlAuthorize(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked componentLever
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	code, err := p.Authorize(asked.Platform, asked.PreAuthCode, asked.Authorizer, asked.Permissions...)
	if err == nil && asked.Push {
		return done{OK: true}, p.PushAuthorized(r.Context(), asked.Platform, asked.Authorizer, code)
	}

	return map[string]string{"authorization_code": code}, err
}

func (p *Platform) controlUnauthorize(w http.ResponseWriter, r *http.Request) (any, error) {
	var asked componentLever
	if err := readControl(w, r, &asked); err != nil {
		return nil, err
	}
	if asked.Push {
		return done{OK: true}, p.PushUnauthorized(r.Context(), asked.Platform, asked.Authorizer)
	}

	return done{OK: true}, p.Unauthorize(asked.Platform, asked.Authorizer)
}
