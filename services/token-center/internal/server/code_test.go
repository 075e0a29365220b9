package server_test

import (
	"context"
	"testing"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/fault"
	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/services/token-center/internal/credential"
	"github.com/wxstack/wxstack/services/token-center/internal/server"
)

// desk answers with what it was asked.
type desk struct{ err error }

func (d desk) Web(_ context.Context, code config.Secret) ([]byte, error) {
	return []byte("web " + code.Reveal()), d.err
}

func (d desk) MiniProgram(_ context.Context, code config.Secret) ([]byte, error) {
	return []byte("mini program " + code.Reveal()), d.err
}

func TestExchangeCode(t *testing.T) {
	t.Parallel()
	uncertain := fault.Wrap(fault.Unavailable, credential.ErrUncertain, "no answer")
	notSent := fault.Wrap(fault.Unavailable, credential.ErrNotSent, "no way")
	accounts := []server.Account{{AppID: "wx1", Codes: desk{}}, {AppID: "wx2"}, {AppID: "wx3", Codes: desk{uncertain}}, {AppID: "wx4", Codes: desk{notSent}}}
	s := server.New(accounts)
	for name, tt := range map[string]struct {
		req  *tokenv1.ExchangeCodeRequest
		want string // an answer, or the kind of the refusal.
	}{
		"web is what is meant":        {&tokenv1.ExchangeCodeRequest{AppId: "wx1", Code: "c"}, "web c"},
		"web":                         {&tokenv1.ExchangeCodeRequest{AppId: "wx1", Code: "c", Kind: tokenv1.CodeKind_CODE_KIND_WEB}, "web c"},
		"mini program":                {&tokenv1.ExchangeCodeRequest{AppId: "wx1", Code: "c", Kind: tokenv1.CodeKind_CODE_KIND_MINI_PROGRAM}, "mini program c"},
		"a kind of later":             {&tokenv1.ExchangeCodeRequest{AppId: "wx1", Code: "c", Kind: 99}, string(fault.Invalid)},
		"no code":                     {&tokenv1.ExchangeCodeRequest{AppId: "wx1"}, string(fault.Invalid)},
		"a code with a line":          {&tokenv1.ExchangeCodeRequest{AppId: "wx1", Code: "c\n"}, string(fault.Invalid)},
		"which account":               {&tokenv1.ExchangeCodeRequest{Code: "c"}, string(fault.Invalid)},
		"no such account":             {&tokenv1.ExchangeCodeRequest{AppId: "wx9", Code: "c"}, string(fault.NotFound)},
		"an account without":          {&tokenv1.ExchangeCodeRequest{AppId: "wx2", Code: "c"}, string(fault.Invalid)},
		"a lost answer":               {&tokenv1.ExchangeCodeRequest{AppId: "wx3", Code: "c"}, string(fault.Deadline)},
		"a request that was not sent": {&tokenv1.ExchangeCodeRequest{AppId: "wx4", Code: "c"}, string(fault.Unavailable)},
	} {
		resp, err := s.ExchangeCode(t.Context(), tt.req)
		got := string(resp.GetAnswer())
		if err != nil {
			got = string(fault.KindOf(err))
		}
		if got != tt.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, tt.want)
		}
	}
}
