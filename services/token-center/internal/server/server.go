// Package server answers TokenService: it is the face that the rest of the house sees.
package server

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/caller"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/refresh"
)

// Account is an account as it is shown, and who keeps its credentials.
type Account struct {
	AppID      string
	OriginalID string
	Kind       string
	// TokenAPI names where its access tokens come from, such as stable.
	TokenAPI    string
	Credentials map[credential.Kind]*refresh.Refresher
	// Codes is nil for an account without an AppSecret of its own.
	Codes Codes
}

// Server implements TokenService.
type Server struct {
	tokenv1.UnimplementedTokenServiceServer

	current  atomic.Pointer[directory]
	drain    sync.Once
	draining chan struct{}
}

// directory are the accounts of a time.
type directory struct {
	accounts []Account
	// replaced is closed when another directory is in force.
	replaced chan struct{}
}

// New returns a server for accounts, at least one.
func New(accounts []Account) *Server {
	s := &Server{draining: make(chan struct{})}
	s.current.Store(&directory{accounts: accounts, replaced: make(chan struct{})})
	return s
}

// Replace puts other accounts in force. Watches go on with them.
func (s *Server) Replace(accounts []Account) {
	former := s.current.Swap(&directory{accounts: accounts, replaced: make(chan struct{})})
	close(former.replaced)
}

// Drain ends every watch, so that the watchers go to another replica. Without it an orderly stop would
// wait for streams that never end.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// wireKind is a kind and what the wire calls it.
type wireKind struct {
	wire tokenv1.TokenKind
	kind credential.Kind
}

// kinds are the credentials as they are called on the wire, in the order in which they are listed.
var kinds = []wireKind{
	{tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN, credential.AccessToken},
	{tokenv1.TokenKind_TOKEN_KIND_WORK_ACCESS_TOKEN, credential.WorkAccessToken},
	{tokenv1.TokenKind_TOKEN_KIND_COMPONENT_ACCESS_TOKEN, credential.ComponentAccessToken},
	{tokenv1.TokenKind_TOKEN_KIND_JSAPI_TICKET, credential.JSAPITicket},
	{tokenv1.TokenKind_TOKEN_KIND_WX_CARD_TICKET, credential.CardTicket},
}

// wireName is the name of a kind without its prefix.
func wireName(kind tokenv1.TokenKind) string { return strings.TrimPrefix(kind.String(), "TOKEN_KIND_") }

// kindOf returns the kind that a request means.
func kindOf(wire tokenv1.TokenKind) (credential.Kind, error) {
	if wire == tokenv1.TokenKind_TOKEN_KIND_UNSPECIFIED {
		return credential.AccessToken, nil
	}
	known := make([]string, 0, len(kinds))
	for _, k := range kinds {
		if k.wire == wire {
			return k.kind, nil
		}
		known = append(known, wireName(k.wire))
	}
	return "", fault.New(fault.Invalid, "kind: %v is not known here; use one of %s", wire, strings.Join(known, ", "))
}

// keeper returns who keeps a credential.
func (d *directory) keeper(appID string, wire tokenv1.TokenKind) (*refresh.Refresher, error) {
	kind, err := kindOf(wire)
	if err != nil {
		return nil, err
	}
	a, err := d.find(appID)
	if err != nil {
		return nil, err
	}
	return a.keeper(kind)
}

func (a Account) keeper(kind credential.Kind) (*refresh.Refresher, error) {
	if keeper, ok := a.Credentials[kind]; ok {
		return keeper, nil
	}
	var has []string
	for _, k := range kinds {
		if _, ok := a.Credentials[k.kind]; ok {
			has = append(has, wireName(k.wire))
		}
	}
	return nil, fault.New(fault.Invalid, "kind: %s, an account of the kind %s, has no %s; use one of %s",
		a.AppID, a.Kind, kind, strings.Join(has, ", "))
}

// find returns the account meant by appID; an empty one means the only account.
func (d *directory) find(appID string) (Account, error) {
	if appID == "" && len(d.accounts) == 1 {
		return d.accounts[0], nil
	}
	if appID == "" {
		return Account{}, fault.New(fault.Invalid, "app_id: required, because %d accounts are configured", len(d.accounts))
	}
	for _, a := range d.accounts {
		if a.AppID == appID {
			return a, nil
		}
	}
	return Account{}, fault.New(fault.NotFound, "app_id: %q is not in the accounts file (WX_ACCOUNTS_FILE)", credential.ShownAppID(appID))
}

// GetToken implements TokenService.
func (s *Server) GetToken(ctx context.Context, req *tokenv1.GetTokenRequest) (*tokenv1.GetTokenResponse, error) {
	keeper, err := s.current.Load().keeper(req.GetAppId(), req.GetKind())
	if err != nil {
		return nil, err
	}
	c, err := keeper.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &tokenv1.GetTokenResponse{Token: present(c, time.Now())}, nil
}

// RefreshToken implements TokenService.
func (s *Server) RefreshToken(ctx context.Context, req *tokenv1.RefreshTokenRequest) (*tokenv1.RefreshTokenResponse, error) {
	keeper, err := s.current.Load().keeper(req.GetAppId(), req.GetKind())
	if err != nil {
		return nil, err
	}
	rejected := credential.Rejected{
		Generation: credential.Generation(req.GetRejectedGeneration()), By: caller.FromContext(ctx).Name,
	}
	if value := req.GetRejectedValue(); value != "" {
		rejected.Value = config.NewSecret(value)
	}
	c, err := keeper.Refresh(ctx, rejected)
	if err != nil {
		return nil, err
	}
	return &tokenv1.RefreshTokenResponse{Token: present(c, time.Now())}, nil
}

// WatchToken implements TokenService.
func (s *Server) WatchToken(req *tokenv1.WatchTokenRequest, stream grpc.ServerStreamingServer[tokenv1.WatchTokenResponse]) error {
	sent := map[string]credential.Credential{}
	for stream.Context().Err() == nil {
		if err := s.watch(s.current.Load(), req, stream, sent); err != nil {
			return err
		}
	}
	return nil
}

// watch sends what changes until the watcher leaves or other accounts are in force. One slot per watcher
// says that something changed; what is sent is the newest at the time of sending, and never older than
// what was sent.
func (s *Server) watch(d *directory, req *tokenv1.WatchTokenRequest, stream grpc.ServerStreamingServer[tokenv1.WatchTokenResponse], sent map[string]credential.Credential) error {
	keepers, err := d.watched(req)
	if err != nil {
		return err
	}
	dirty := make(chan struct{}, 1)
	for _, keeper := range keepers {
		stop := keeper.Watch(dirty)
		defer stop()
	}
	for {
		for _, keeper := range keepers {
			c, now := keeper.Current(), time.Now()
			if c == sent[c.AppID] || c.Generation < sent[c.AppID].Generation || !c.Alive(now) {
				continue
			}
			if err := stream.Send(&tokenv1.WatchTokenResponse{Token: present(c, now)}); err != nil {
				return err
			}
			sent[c.AppID] = c
		}
		select {
		case <-dirty:
		case <-stream.Context().Done():
			return nil
		case <-d.replaced:
			return nil
		case <-s.draining:
			return fault.New(fault.Unavailable, "token-center is stopping; watch another replica")
		}
	}
}

// watched returns the keepers that a request names; without names those of every account that has the kind.
func (d *directory) watched(req *tokenv1.WatchTokenRequest) ([]*refresh.Refresher, error) {
	kind, err := kindOf(req.GetKind())
	if err != nil {
		return nil, err
	}
	var keepers []*refresh.Refresher
	if len(req.GetAppIds()) == 0 {
		for _, a := range d.accounts {
			if keeper, ok := a.Credentials[kind]; ok {
				keepers = append(keepers, keeper)
			}
		}
		return keepers, nil
	}
	for _, appID := range req.GetAppIds() {
		keeper, err := d.keeper(appID, req.GetKind())
		if err != nil {
			return nil, err
		}
		keepers = append(keepers, keeper)
	}
	return keepers, nil
}

// ListAccounts implements TokenService.
func (s *Server) ListAccounts(context.Context, *tokenv1.ListAccountsRequest) (*tokenv1.ListAccountsResponse, error) {
	resp := &tokenv1.ListAccountsResponse{}
	for _, a := range s.current.Load().accounts {
		shown := &tokenv1.Account{AppId: a.AppID, OriginalId: a.OriginalID, Kind: a.Kind, TokenApi: a.TokenAPI}
		for _, k := range kinds {
			if keeper, ok := a.Credentials[k.kind]; ok {
				shown.Tokens = append(shown.Tokens, presentStatus(k.wire, keeper.Status()))
			}
		}
		resp.Accounts = append(resp.Accounts, shown)
	}
	return resp, nil
}

func presentStatus(wire tokenv1.TokenKind, status refresh.Status) *tokenv1.TokenStatus {
	token := &tokenv1.TokenStatus{
		Kind:       wire,
		Generation: uint64(status.Credential.Generation),
		Problem:    status.Problem,
	}
	if status.Credential.Exists() {
		token.ExpireTime = timestamppb.New(status.Credential.ExpiresAt)
	}
	return token
}

// present gives the true remaining life, at the moment of answering.
func present(c credential.Credential, now time.Time) *tokenv1.Token {
	i := slices.IndexFunc(kinds, func(k wireKind) bool { return k.kind == c.Kind })
	return &tokenv1.Token{
		AppId: c.AppID, Kind: kinds[i].wire, Value: c.Value.Reveal(),
		Generation: uint64(c.Generation),
		ExpireTime: timestamppb.New(c.ExpiresAt), ExpiresIn: durationpb.New(c.Left(now)),
	}
}
