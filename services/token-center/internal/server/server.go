// Package server answers TokenService: it is the face that the rest of the house sees.
package server

import (
	"context"
	"sync"
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

// Account is an account as it is shown, and who keeps its token.
type Account struct {
	AppID       string
	OriginalID  string
	Kind        string
	API         credential.API
	AccessToken *refresh.Refresher
}

// Server implements TokenService.
type Server struct {
	tokenv1.UnimplementedTokenServiceServer

	accounts []Account
	drain    sync.Once
	draining chan struct{}
}

// New returns a server for accounts, at least one.
func New(accounts []Account) *Server {
	return &Server{accounts: accounts, draining: make(chan struct{})}
}

// Drain ends every watch, so that the watchers go to another replica. Without it an orderly stop would
// wait for streams that never end.
func (s *Server) Drain() { s.drain.Do(func() { close(s.draining) }) }

// find returns the account meant by appID; an empty one means the only account.
func (s *Server) find(appID string, kind tokenv1.TokenKind) (Account, error) {
	if err := checkKind(kind); err != nil {
		return Account{}, err
	}
	if appID == "" && len(s.accounts) == 1 {
		return s.accounts[0], nil
	}
	if appID == "" {
		return Account{}, fault.New(fault.Invalid, "app_id: required, because %d accounts are configured", len(s.accounts))
	}
	for _, a := range s.accounts {
		if a.AppID == appID {
			return a, nil
		}
	}
	return Account{}, fault.New(fault.NotFound, "app_id: %q is not in the accounts file (WX_ACCOUNTS_FILE)", appID)
}

func checkKind(kind tokenv1.TokenKind) error {
	switch kind {
	case tokenv1.TokenKind_TOKEN_KIND_UNSPECIFIED, tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN:
		return nil
	}
	return fault.New(fault.Invalid, "kind: %v is not known here; ACCESS_TOKEN is", kind)
}

// GetToken implements TokenService.
func (s *Server) GetToken(ctx context.Context, req *tokenv1.GetTokenRequest) (*tokenv1.GetTokenResponse, error) {
	a, err := s.find(req.GetAppId(), req.GetKind())
	if err != nil {
		return nil, err
	}
	c, err := a.AccessToken.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &tokenv1.GetTokenResponse{Token: present(c, time.Now())}, nil
}

// RefreshToken implements TokenService.
func (s *Server) RefreshToken(ctx context.Context, req *tokenv1.RefreshTokenRequest) (*tokenv1.RefreshTokenResponse, error) {
	a, err := s.find(req.GetAppId(), req.GetKind())
	if err != nil {
		return nil, err
	}
	rejected := credential.Rejected{
		Generation: credential.Generation(req.GetRejectedGeneration()), By: caller.FromContext(ctx).Name,
	}
	if value := req.GetRejectedValue(); value != "" {
		rejected.Value = config.NewSecret(value)
	}
	c, err := a.AccessToken.Refresh(ctx, rejected)
	if err != nil {
		return nil, err
	}
	return &tokenv1.RefreshTokenResponse{Token: present(c, time.Now())}, nil
}

// WatchToken implements TokenService. One slot per watcher says that something changed; what is sent
// is the newest at the time of sending.
func (s *Server) WatchToken(req *tokenv1.WatchTokenRequest, stream grpc.ServerStreamingServer[tokenv1.WatchTokenResponse]) error {
	accounts, err := s.watched(req)
	if err != nil {
		return err
	}
	dirty := make(chan struct{}, 1)
	for _, a := range accounts {
		stop := a.AccessToken.Watch(dirty)
		defer stop()
	}
	sent := make(map[string]credential.Credential, len(accounts))
	for {
		for _, a := range accounts {
			c, now := a.AccessToken.Current(), time.Now()
			if c == sent[a.AppID] || !c.Alive(now) {
				continue
			}
			if err := stream.Send(&tokenv1.WatchTokenResponse{Token: present(c, now)}); err != nil {
				return err
			}
			sent[a.AppID] = c
		}
		select {
		case <-dirty:
		case <-stream.Context().Done():
			return nil
		case <-s.draining:
			return fault.New(fault.Unavailable, "token-center is stopping; watch another replica")
		}
	}
}

func (s *Server) watched(req *tokenv1.WatchTokenRequest) ([]Account, error) {
	if err := checkKind(req.GetKind()); err != nil {
		return nil, err
	}
	if len(req.GetAppIds()) == 0 {
		return s.accounts, nil
	}
	accounts := make([]Account, 0, len(req.GetAppIds()))
	for _, appID := range req.GetAppIds() {
		a, err := s.find(appID, req.GetKind())
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

// ListAccounts implements TokenService.
func (s *Server) ListAccounts(context.Context, *tokenv1.ListAccountsRequest) (*tokenv1.ListAccountsResponse, error) {
	resp := &tokenv1.ListAccountsResponse{}
	for _, a := range s.accounts {
		status := a.AccessToken.Status()
		token := &tokenv1.TokenStatus{
			Kind:       tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN,
			Generation: uint64(status.Credential.Generation),
			Problem:    status.Problem,
		}
		if status.Credential.Exists() {
			token.ExpireTime = timestamppb.New(status.Credential.ExpiresAt)
		}
		resp.Accounts = append(resp.Accounts, &tokenv1.Account{
			AppId: a.AppID, OriginalId: a.OriginalID, Kind: a.Kind, TokenApi: string(a.API),
			Tokens: []*tokenv1.TokenStatus{token},
		})
	}
	return resp, nil
}

// present gives the true remaining life, at the moment of answering.
func present(c credential.Credential, now time.Time) *tokenv1.Token {
	return &tokenv1.Token{
		AppId: c.AppID, Kind: tokenv1.TokenKind_TOKEN_KIND_ACCESS_TOKEN, Value: c.Value.Reveal(),
		Generation: uint64(c.Generation),
		ExpireTime: timestamppb.New(c.ExpiresAt), ExpiresIn: durationpb.New(c.Left(now)),
	}
}
