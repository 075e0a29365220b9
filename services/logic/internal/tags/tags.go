// Package tags knows which tags (用户标签) a follower has, for rules that are meant for some of them. It asks
// WeChat through api-proxy and remembers the answer for some minutes: a call for each message would spend the
// account's daily limit, and the time in which the follower is to be answered.
package tags

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"

	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
)

const (
	// lifetime is how long an answer counts: as long as it may take until a tag that was given or taken shows.
	lifetime = 5 * time.Minute
	// namesLifetime is longer, since the list of all tags may be asked for 1,000 times a day only, by all replicas
	// together. For so long may a renamed tag go by its old name.
	namesLifetime = 30 * time.Minute
	// remembered bounds the followers, and so the memory: about 200 bytes each.
	remembered = 100_000
	// rememberedAccounts bounds the lists of names.
	rememberedAccounts = 1_000
	// timeout bounds one look-up. It goes on when the message that caused it is given up: others wait for it.
	timeout = 3 * time.Second
)

// Platform calls WeChat's API. It is apiproxyv1.ApiProxyServiceClient.
type Platform interface {
	Call(ctx context.Context, in *apiproxyv1.CallRequest, opts ...grpc.CallOption) (*apiproxyv1.CallResponse, error)
}

// Book looks tags up and remembers them. It is safe for concurrent use.
type Book struct {
	platform  Platform
	followers *lru.Cache[string, known[[]string]]
	names     *lru.Cache[string, known[map[int64]string]]
	flights   singleflight.Group
}

// known is an answer of WeChat's and when it stops to count.
type known[T any] struct {
	value T
	until time.Time
}

// NewBook makes a Book that asks platform.
func NewBook(platform Platform) *Book {
	followers, _ := lru.New[string, known[[]string]](remembered) // fails for a size of zero only.
	names, _ := lru.New[string, known[map[int64]string]](rememberedAccounts)

	return &Book{platform: platform, followers: followers, names: names}
}

// Of returns the follower's tags, each by its id and by its name.
func (b *Book) Of(ctx context.Context, appID, openID string) ([]string, error) {
	return once(ctx, b, b.followers, lifetime, "of/"+appID+"/"+openID, func(ctx context.Context) ([]string, error) {
		var answer struct {
			IDs []int64 `json:"tagid_list"`
		}
		body, err := json.Marshal(map[string]string{"openid": openID})
		if err == nil {
			err = b.call(ctx, appID, http.MethodPost, "/cgi-bin/tags/getidlist", body, &answer)
		}
		if err != nil || len(answer.IDs) == 0 {
			return nil, err
		}
		names, err := b.namesOf(ctx, appID)
		if err != nil {
			return nil, err
		}
		tags := make([]string, 0, 2*len(answer.IDs))
		for _, id := range answer.IDs {
			tags = append(tags, strconv.FormatInt(id, 10))
			if name := names[id]; name != "" {
				tags = append(tags, name)
			}
		}

		return tags, nil
	})
}

// namesOf returns the names of an account's tags by id.
func (b *Book) namesOf(ctx context.Context, appID string) (map[int64]string, error) {
	return once(ctx, b, b.names, namesLifetime, "names/"+appID, func(ctx context.Context) (map[int64]string, error) {
		var answer struct {
			Tags []struct {
				ID   int64  `json:"id"`
				Name string `json:"name"`
			} `json:"tags"`
		}
		if err := b.call(ctx, appID, http.MethodGet, "/cgi-bin/tags/get", nil, &answer); err != nil {
			return nil, err
		}
		names := make(map[int64]string, len(answer.Tags))
		for _, tag := range answer.Tags {
			names[tag.ID] = tag.Name
		}

		return names, nil
	})
}

// once returns what is remembered under key, or asks, one for all who want to know. A failure is not
// remembered.
func once[T any](
	ctx context.Context, b *Book, cache *lru.Cache[string, known[T]], lifetime time.Duration, key string, ask func(context.Context) (T, error),
) (T, error) {
	if answer, ok := cache.Get(key); ok && time.Now().Before(answer.until) {
		return answer.value, nil
	}
	result := b.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		value, err := ask(ctx)
		if err == nil {
			cache.Add(key, known[T]{value: value, until: time.Now().Add(lifetime)})
		}

		return value, err
	})
	var none T
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case answer := <-result:
		if answer.Err != nil {
			return none, answer.Err
		}
		value, _ := answer.Val.(T)

		return value, nil
	}
}

// call makes one call and reads its answer. WeChat's own text is left out of errors: it can quote the request.
func (b *Book) call(ctx context.Context, appID, method, path string, body []byte, answer any) error {
	resp, err := b.platform.Call(ctx, &apiproxyv1.CallRequest{AppId: appID, Method: method, Path: path, Body: body})
	if err != nil {
		return fmt.Errorf("ask api-proxy (API_PROXY_ADDR) for %s: %w", path, err)
	}
	if code := resp.GetErrcode(); code != 0 {
		return fmt.Errorf("WeChat refused %s with errcode %d", path, code)
	}
	if err := json.Unmarshal(resp.GetBody(), answer); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}

	return nil
}
