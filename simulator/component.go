package simulator

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/token"
)

// The rules of the third-party platform's interfaces (第三方平台).
const (
	verifyTicketLifetime = 12 * time.Hour
	preAuthCodeLifetime  = 1800 * time.Second
	authCodeLifetime     = time.Hour
)

// component is what the platform keeps of a third-party platform.
type component struct {
	tickets  map[string]time.Time       // The verify tickets that were pushed, with their ends.
	preAuth  map[string]time.Time       // The pre_auth_codes that were not used, with their ends.
	codes    map[string]authCode        // The authorization_codes that were not used.
	refresh  map[string]string          // The valid refresh token of each authorizer.
	granted  map[string][]PermissionSet // What each authorizer has granted.
	latest   string                     // The newest verify ticket.
	issuance int                        // Counts what was issued, for distinct values.
}

// authCode is an account's authorisation before it was exchanged.
type authCode struct {
	authorizer string
	granted    []PermissionSet
	expires    time.Time
}

func newComponent() *component {
	return &component{
		tickets: make(map[string]time.Time), preAuth: make(map[string]time.Time),
		codes: make(map[string]authCode), refresh: make(map[string]string), granted: make(map[string][]PermissionSet),
	}
}

// next makes a value that was never there.
func (c *component) next(prefix string) string {
	c.issuance++

	return prefix + "@@@" + token.NewValue(c.issuance)
}

// IssueVerifyTicket makes a component_verify_ticket, as WeChat does every ten
// minutes before it pushes it to the platform, and returns it.
func (p *Platform) IssueVerifyTicket(componentAppID string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	platform, err := p.state.component(componentAppID)
	if err != nil {
		return "", err
	}
	platform.component.latest = platform.component.next("ticket")
	platform.component.tickets[platform.component.latest] = p.state.clock.now().Add(verifyTicketLifetime)

	return platform.component.latest, nil
}

// Authorize is an administrator (管理员) who authorises the platform with a
// pre_auth_code, which is then used up, and grants it some permission sets (权限集), or all if none is named. It returns the
// authorization_code that WeChat gives to the platform.
func (p *Platform) Authorize(componentAppID, preAuthCode, authorizerAppID string, permissions ...PermissionSet) (string, error) {
	granted, err := checkPermissions(permissions)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	platform, err := p.state.component(componentAppID)
	if err != nil {
		return "", err
	}
	account, err := p.state.account(authorizerAppID)
	if err != nil {
		return "", err
	}
	now := p.state.clock.now()
	if end, known := platform.component.preAuth[preAuthCode]; !known || !now.Before(end) {
		return "", fmt.Errorf("%w: the pre_auth_code is unknown, used or expired, ask for another", ErrInvalid)
	}
	delete(platform.component.preAuth, preAuthCode)
	code := platform.component.next("queryauthcode")
	platform.component.codes[code] = authCode{authorizer: account.AppID, granted: granted, expires: now.Add(authCodeLifetime)}

	return code, nil
}

// Unauthorize is an administrator who withdraws the authorisation: the account's
// refresh token is void, and its access tokens by the platform die.
func (p *Platform) Unauthorize(componentAppID, authorizerAppID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	platform, err := p.state.component(componentAppID)
	if err != nil {
		return err
	}
	account, err := p.state.account(authorizerAppID)
	if err != nil {
		return err
	}
	delete(platform.component.refresh, account.AppID)
	delete(platform.component.granted, account.AppID)
	account.tokens.Kill(TokenAuthorizer, p.state.clock.now())

	return nil
}

// component returns the third-party platform of that AppID.
func (s *state) component(appID string) (*accountState, error) {
	account, err := s.account(appID)
	if err != nil {
		return nil, err
	}
	if account.Kind != KindPlatform {
		return nil, fmt.Errorf("%w: account %q is no third-party platform", ErrInvalid, account.AppID)
	}

	return account, nil
}

// componentRequest is the body of the calls, each of which has some of the fields.
type componentRequest struct {
	ComponentAppID string `json:"component_appid"`
	Secret         string `json:"component_appsecret"`
	VerifyTicket   string `json:"component_verify_ticket"`
	Code           string `json:"authorization_code"`
	Authorizer     string `json:"authorizer_appid"`
	RefreshToken   string `json:"authorizer_refresh_token"`
	Option         string `json:"option_name"`
	Value          string `json:"option_value"`
	Offset         int    `json:"offset"`
	Count          int    `json:"count"`
}

// getComponentToken serves POST /cgi-bin/component/api_component_token.
func (p *Platform) getComponentToken(r *apiRequest) apiAnswer {
	var asked componentRequest
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	r.account = asked.ComponentAppID
	platform, code := p.authenticateAs(KindPlatform, credentials{AppID: asked.ComponentAppID, Secret: asked.Secret})
	if code != errcode.OK {
		return refuse(code)
	}
	end, known := platform.component.tickets[asked.VerifyTicket]
	switch {
	case !platform.admits(r.remote):
		return refuse(errcode.IPUnregistered)
	case !known:
		return refuse(errcode.TicketInvalid)
	case !r.now.Before(end):
		return refuse(errcode.TicketExpired)
	}
	platform.tokens.Fetches.Component++
	issued := platform.tokens.Replace(TokenComponent, r.now)
	r.generation = issued.Generation
	r.hide(issued.Value)

	return answer(struct {
		Token     string `json:"component_access_token"`
		ExpiresIn int    `json:"expires_in"`
	}{issued.Value, int(issued.Remaining(r.now).Seconds())})
}

// asPlatform wraps a call that carries a component_access_token and names the same
// platform in its body.
func asPlatform(serve func(*apiRequest, componentRequest) apiAnswer) func(*Platform, *apiRequest) apiAnswer {
	return func(p *Platform, r *apiRequest) apiAnswer {
		if code := p.authorizeComponent(r); code != errcode.OK {
			return refuse(code)
		}
		var asked componentRequest
		if code := r.decode(&asked); code != errcode.OK {
			return refuse(code)
		}
		if subtle.ConstantTimeCompare([]byte(asked.ComponentAppID), []byte(r.state.AppID)) != 1 {
			return refuse(errcode.Component)
		}
		if !r.state.admits(r.remote) {
			return refuse(errcode.IPUnregistered)
		}
		if asked.Authorizer != "" && p.state.accounts[asked.Authorizer] == nil {
			return refuse(errcode.AppID)
		}
		r.authorizer = p.state.accounts[asked.Authorizer]
		if asked.Code != "" {
			r.authorizer = p.state.accounts[r.state.component.codes[asked.Code].authorizer]
		}

		return serve(r, asked)
	}
}

// createPreAuthCode serves POST /cgi-bin/component/api_create_preauthcode.
func createPreAuthCode(r *apiRequest, _ componentRequest) apiAnswer {
	code := r.state.component.next("preauthcode")
	r.state.component.preAuth[code] = r.now.Add(preAuthCodeLifetime)
	r.hide(code)

	return answer(struct {
		Code      string `json:"pre_auth_code"`
		ExpiresIn int    `json:"expires_in"`
	}{code, int(preAuthCodeLifetime.Seconds())})
}

// authorizerTokens is what both calls that give an authorizer's tokens answer.
type authorizerTokens struct {
	AccessToken  string `json:"authorizer_access_token"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"authorizer_refresh_token"`
}

// grant issues an authorizer's tokens. Each refresh token replaces the one before.
func (r *apiRequest) grant(authorizer *accountState) authorizerTokens {
	issued := authorizer.tokens.Replace(TokenAuthorizer, r.now)
	issued.Platform = r.state.AppID
	refresh := r.state.component.next("refreshtoken")
	r.state.component.refresh[authorizer.AppID] = refresh
	r.hide(issued.Value)
	r.hide(refresh)

	return authorizerTokens{issued.Value, int(issued.Remaining(r.now).Seconds()), refresh}
}

// queryAuth serves POST /cgi-bin/component/api_query_auth. A code can be used once.
func queryAuth(r *apiRequest, asked componentRequest) apiAnswer {
	code, known := r.state.component.codes[asked.Code]
	switch {
	case !known:
		return refuse(errcode.AuthCode)
	case !r.now.Before(code.expires):
		return refuse(errcode.AuthCodeExpired)
	}
	delete(r.state.component.codes, asked.Code)
	r.state.component.granted[code.authorizer] = code.granted
	type authorization struct {
		AppID string `json:"authorizer_appid"`
		authorizerTokens

		Functions []grantedFunction `json:"func_info"`
	}

	return answer(map[string]authorization{"authorization_info": {
		AppID: code.authorizer, authorizerTokens: r.grant(r.authorizer), Functions: functionInfo(code.granted),
	}})
}

// listAuthorizers serves POST /cgi-bin/component/api_get_authorizer_list, which tells
// the refresh tokens again.
func listAuthorizers(r *apiRequest, asked componentRequest) apiAnswer {
	const most = 500
	if asked.Offset < 0 || asked.Count <= 0 || asked.Count > most {
		return refuse(errcode.Arguments)
	}
	type authorizer struct {
		AppID        string `json:"authorizer_appid"`
		RefreshToken string `json:"refresh_token"`
		Time         int64  `json:"auth_time"`
	}
	refresh := r.state.component.refresh
	all := []authorizer{}
	for _, appID := range slices.Sorted(maps.Keys(refresh)) {
		r.hide(refresh[appID])
		all = append(all, authorizer{appID, refresh[appID], r.now.Unix()})
	}
	first := min(asked.Offset, len(all))

	return answer(struct {
		Total int          `json:"total_count"`
		List  []authorizer `json:"list"`
	}{len(all), all[first:min(first+asked.Count, len(all))]})
}

// getAuthorizerToken serves POST /cgi-bin/component/api_authorizer_token.
func getAuthorizerToken(r *apiRequest, asked componentRequest) apiAnswer {
	valid, authorized := r.state.component.refresh[asked.Authorizer]
	switch {
	case !authorized:
		return refuse(errcode.NotAuthorized)
	case subtle.ConstantTimeCompare([]byte(asked.RefreshToken), []byte(valid)) != 1:
		return refuse(errcode.RefreshToken)
	}

	return answer(r.grant(r.authorizer))
}
