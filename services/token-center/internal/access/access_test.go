package access_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/wxstack/wxstack/chassis/fault"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/access"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
)

// generous is a TokenService that has the accounts wx1 to wx3 and gives anything to anybody.
type generous struct {
	tokenv1.UnimplementedTokenServiceServer
}

func token(appID string) *tokenv1.Token {
	return &tokenv1.Token{AppId: appID, Kind: tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN, Value: "secret", Generation: 7}
}

func (generous) GetToken(_ context.Context, req *tokenv1.GetTokenRequest) (*tokenv1.GetTokenResponse, error) {
	return &tokenv1.GetTokenResponse{Token: token(req.GetAppId())}, nil
}

func (generous) RefreshToken(_ context.Context, req *tokenv1.RefreshTokenRequest) (*tokenv1.RefreshTokenResponse, error) {
	return &tokenv1.RefreshTokenResponse{Token: token(req.GetAppId())}, nil
}

func (generous) WatchToken(_ *tokenv1.WatchTokenRequest, stream grpc.ServerStreamingServer[tokenv1.WatchTokenResponse]) error {
	for _, appID := range []string{"wx1", "wx2", "wx3"} {
		if err := stream.Send(&tokenv1.WatchTokenResponse{Token: token(appID)}); err != nil {
			return err
		}
	}
	return nil
}

func (generous) ListAccounts(context.Context, *tokenv1.ListAccountsRequest) (*tokenv1.ListAccountsResponse, error) {
	return &tokenv1.ListAccountsResponse{Accounts: []*tokenv1.Account{{AppId: "wx1"}, {AppId: "wx2"}, {AppId: "wx3"}}}, nil
}

func (generous) Diagnose(_ context.Context, req *tokenv1.DiagnoseRequest) (*tokenv1.DiagnoseResponse, error) {
	resp := &tokenv1.DiagnoseResponse{}
	for _, appID := range req.GetAppIds() {
		resp.Findings = append(resp.Findings, &tokenv1.Finding{AppId: appID})
	}
	return resp, nil
}

func (generous) SignJSSDK(_ context.Context, req *tokenv1.SignJSSDKRequest) (*tokenv1.SignJSSDKResponse, error) {
	return &tokenv1.SignJSSDKResponse{AppId: req.GetAppId()}, nil
}

// as returns a context of a caller named in the file below; of nobody for an empty name.
func as(t *testing.T, name string) context.Context {
	t.Helper()
	if name == "" {
		return t.Context()
	}
	path := filepath.Join(t.TempDir(), "callers.yaml")
	const yaml = `callers:
  - {name: all, certificate: all, accounts: "*"}
  - {name: one, certificate: one, accounts: wx1}
  - {name: two, certificate: two, accounts: [wx1, wx3]}
  - {name: web, certificate: web, accounts: wx1, kinds: jsapi_ticket}
  - {name: gateway, certificate: gateway, accounts: wx1, kinds: platform}
`
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	directory, err := caller.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	who, err := directory.Identify(rpc.Caller{Names: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	return caller.NewContext(t.Context(), who)
}

func TestWhoMayHaveWhat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		who, appID string
		kind       tokenv1.TokenKind
		want       string // the account of the token, or the kind of the refusal.
	}{
		"every account":                     {"all", "wx2", 0, "wx2"},
		"every account, none named":         {"all", "", 0, ""},
		"its account":                       {"one", "wx1", 0, "wx1"},
		"its only account need not be said": {"one", "", 0, "wx1"},
		"another account":                   {"one", "wx2", 0, string(fault.Forbidden)},
		"an account that does not exist":    {"one", "wx9", 0, string(fault.Forbidden)},
		"one of its accounts":               {"two", "wx3", 0, "wx3"},
		"which of its accounts":             {"two", "", 0, string(fault.Invalid)},
		"a kind that was not granted":       {"all", "wx1", 99, string(fault.Forbidden)},
		"nobody":                            {"", "wx1", 0, string(fault.Forbidden)},
		"nobody, no account":                {"", "", 0, string(fault.Forbidden)},
	}
	server := access.New(generous{}, access.NewTrail(telemetry.Discard()))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := as(t, tt.who)
			got, err := server.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: tt.appID, Kind: tt.kind})
			check(t, "GetToken", got.GetToken(), err, tt.want)
			refreshed, err := server.RefreshToken(ctx, &tokenv1.RefreshTokenRequest{AppId: tt.appID, Kind: tt.kind})
			check(t, "RefreshToken", refreshed.GetToken(), err, tt.want)
		})
	}
}

func check(t *testing.T, method string, token *tokenv1.Token, err error, want string) {
	t.Helper()
	got := token.GetAppId()
	if err != nil {
		got = string(fault.KindOf(err))
	}
	if got != want {
		t.Errorf("%s gave %q (%v), want %q", method, got, err, want)
	}
}

// sent collects what is sent on a stream.
type sent struct {
	grpc.ServerStreamingServer[tokenv1.WatchTokenResponse]

	ctx    context.Context
	appIDs []string
}

func (s *sent) Context() context.Context { return s.ctx }

func (s *sent) Send(resp *tokenv1.WatchTokenResponse) error {
	s.appIDs = append(s.appIDs, resp.GetToken().GetAppId())
	return nil
}

func TestAWatchShowsTheCallersAccounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		who  string
		req  *tokenv1.WatchTokenRequest
		want []string
		kind fault.Kind
	}{
		"every account":           {"all", &tokenv1.WatchTokenRequest{}, []string{"wx1", "wx2", "wx3"}, ""},
		"those it may have":       {"two", &tokenv1.WatchTokenRequest{}, []string{"wx1", "wx3"}, ""},
		"one that it may not":     {"two", &tokenv1.WatchTokenRequest{AppIds: []string{"wx1", "wx2"}}, nil, fault.Forbidden},
		"a kind that it may not":  {"all", &tokenv1.WatchTokenRequest{Kind: 99}, nil, fault.Forbidden},
		"nobody":                  {"", &tokenv1.WatchTokenRequest{}, nil, fault.Forbidden},
		"nobody, with an account": {"", &tokenv1.WatchTokenRequest{AppIds: []string{"wx1"}}, nil, fault.Forbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := &sent{ctx: as(t, tt.who)}
			err := access.New(generous{}, access.NewTrail(telemetry.Discard())).WatchToken(tt.req, stream)
			if (err == nil) != (tt.kind == "") || (err != nil && fault.KindOf(err) != tt.kind) || !slices.Equal(stream.appIDs, tt.want) {
				t.Errorf("sent %v, error %v", stream.appIDs, err)
			}
		})
	}
}

func TestTheListShowsTheCallersAccounts(t *testing.T) {
	t.Parallel()
	for who, want := range map[string]int{"all": 3, "two": 2, "one": 1, "": 0} {
		resp, err := access.New(generous{}, access.NewTrail(telemetry.Discard())).ListAccounts(as(t, who), &tokenv1.ListAccountsRequest{})
		if err != nil || len(resp.GetAccounts()) != want {
			t.Errorf("%q sees %v, error %v; want %d", who, resp, err, want)
		}
	}
}

func TestADiagnosisIsOfTheCallersAccounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		who    string
		appIDs []string
		want   int // accounts that are examined.
		kind   fault.Kind
	}{
		"every account":        {"all", nil, 0, ""}, // the server knows which there are.
		"those it may see":     {"two", nil, 2, ""},
		"one of them":          {"two", []string{"wx3"}, 1, ""},
		"one it may not see":   {"two", []string{"wx1", "wx2"}, 0, fault.Forbidden},
		"nobody":               {"", nil, 0, fault.Forbidden},
		"nobody, some account": {"", []string{"wx1"}, 0, fault.Forbidden},
	}
	for name, tt := range tests {
		resp, err := access.New(generous{}, access.NewTrail(telemetry.Discard())).Diagnose(as(t, tt.who), &tokenv1.DiagnoseRequest{AppIds: tt.appIDs})
		if (err == nil) != (tt.kind == "") || (err != nil && fault.KindOf(err) != tt.kind) || len(resp.GetFindings()) != tt.want {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
}

func TestPagesAreSignedForWhoMayHaveTheTicket(t *testing.T) {
	t.Parallel()
	server := access.New(generous{}, access.NewTrail(telemetry.Discard()))
	for who, want := range map[string]string{"web": "wx1", "one": string(fault.Forbidden), "gateway": string(fault.Forbidden), "": string(fault.Forbidden)} {
		resp, err := server.SignJSSDK(as(t, who), &tokenv1.SignJSSDKRequest{})
		check(t, "SignJSSDK as "+who, &tokenv1.Token{AppId: resp.GetAppId()}, err, want)
	}
}

// desk is a PlatformService that tells for whose platform it was called.
type desk struct {
	tokenv1.UnimplementedPlatformServiceServer

	appID string
}

func (d *desk) StoreVerifyTicket(_ context.Context, req *tokenv1.StoreVerifyTicketRequest) (*tokenv1.StoreVerifyTicketResponse, error) {
	d.appID = req.GetComponentAppId()
	return &tokenv1.StoreVerifyTicketResponse{}, nil
}

func TestWhoMaySpeakForAPlatform(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ who, appID, want string }{
		"the right and the account":          {"gateway", "wx1", "wx1"},
		"its only platform need not be said": {"gateway", "", "wx1"},
		"another platform":                   {"gateway", "wx2", string(fault.Forbidden)},
		"tokens of the account are no right": {"all", "wx1", string(fault.Forbidden)},
		"tickets of the account are none":    {"web", "wx1", string(fault.Forbidden)},
		"nobody":                             {"", "wx1", string(fault.Forbidden)},
		"which of its accounts must be told": {"two", "", string(fault.Invalid)},
	} {
		d := &desk{}
		_, err := access.NewPlatforms(d, access.NewTrail(telemetry.Discard())).StoreVerifyTicket(as(t, tt.who), &tokenv1.StoreVerifyTicketRequest{ComponentAppId: tt.appID})
		check(t, name, &tokenv1.Token{AppId: d.appID}, err, tt.want)
	}
}

// A method that the contract gets stays closed, and this fails, until somebody decides who may call it. The
// calls are nobody's, so that what was decided shows as a refusal.
func TestEveryMethodIsDecidedAbout(t *testing.T) {
	t.Parallel()
	trail := access.NewTrail(telemetry.Discard())
	for _, service := range []struct {
		desc   grpc.ServiceDesc
		server any
	}{
		{tokenv1.TokenService_ServiceDesc, access.New(generous{}, trail)},
		{tokenv1.PlatformService_ServiceDesc, access.NewPlatforms(tokenv1.UnimplementedPlatformServiceServer{}, trail)},
	} {
		for _, method := range service.desc.Methods {
			_, err := method.Handler(service.server, t.Context(), func(any) error { return nil }, nil)
			if status.Code(err) == codes.Unimplemented {
				t.Errorf("nobody has decided who may call %s of %s", method.MethodName, service.desc.ServiceName)
			}
		}
	}
}

// Callers mix fields up, and what they are told is logged on both sides.
func TestATokenInThePlaceOfAnAppIDIsNeitherRepeatedNorLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	trail := access.NewTrail(telemetry.ForTest(&log))
	server, platforms := access.New(generous{}, trail), access.NewPlatforms(tokenv1.UnimplementedPlatformServiceServer{}, trail)
	ctx, token := as(t, "one"), strings.Repeat("t", 136)
	_, got := server.GetToken(ctx, &tokenv1.GetTokenRequest{AppId: token})
	_, diagnosed := server.Diagnose(ctx, &tokenv1.DiagnoseRequest{AppIds: []string{token}})
	_, stored := platforms.StoreVerifyTicket(ctx, &tokenv1.StoreVerifyTicketRequest{ComponentAppId: token})
	watched := server.WatchToken(&tokenv1.WatchTokenRequest{AppIds: []string{"wx2", token}}, &sent{ctx: ctx})
	for method, err := range map[string]error{"GetToken": got, "Diagnose": diagnosed, "StoreVerifyTicket": stored, "WatchToken": watched} {
		if fault.KindOf(err) != fault.Forbidden || strings.Contains(err.Error(), token[:20]) {
			t.Errorf("%s: error = %v", method, err)
		}
	}
	if strings.Contains(log.String(), token[:20]) || !strings.Contains(log.String(), "136 characters") {
		t.Errorf("the trail has %s", log.String())
	}
}
