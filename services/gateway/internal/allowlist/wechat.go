package allowlist

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"google.golang.org/grpc"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/errcode"
)

// Platform calls WeChat's API. It is apiproxyv1.ApiProxyServiceClient.
type Platform interface {
	Call(ctx context.Context, in *apiproxyv1.CallRequest, opts ...grpc.CallOption) (*apiproxyv1.CallResponse, error)
}

// FromWeChat gets the list from WeChat (获取微信callback IP地址). It is the same for all accounts, so each call
// asks in the name of another one: an account whose token cannot be had doesn't stand in the way.
func FromWeChat(platform Platform, appIDs func() []string) Fetch {
	turn := 0
	return func(ctx context.Context) ([]string, error) {
		ids := appIDs()
		appID := ids[turn%len(ids)]
		turn++
		answer, err := platform.Call(ctx, &apiproxyv1.CallRequest{
			AppId: appID, Method: http.MethodGet, Path: "/cgi-bin/getcallbackip",
		})
		if err != nil {
			return nil, fmt.Errorf("ask api-proxy (API_PROXY_ADDR) in the name of %s: %w", appID, err)
		}
		if code := errcode.Code(answer.GetErrcode()); code != 0 {
			return nil, fmt.Errorf("ask WeChat in the name of %s: errcode %d: %s", appID, code, code.Remedy())
		}
		var list struct {
			Entries []string `json:"ip_list"`
		}
		if err := json.Unmarshal(answer.GetBody(), &list); err != nil {
			return nil, fmt.Errorf("read the list of WeChat's addresses: %w", err)
		}
		return list.Entries, nil
	}
}
