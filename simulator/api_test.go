package simulator

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/wxstack/wxstack/simulator/internal/media"
)

// FuzzAPI calls every endpoint with whatever comes as query and body: the platform
// must answer JSON with status 200, or a file.
func FuzzAPI(f *testing.F) {
	platform := Start(f)
	table := endpoints()
	paths := slices.Sorted(maps.Keys(table))
	account := platform.state.accounts[DefaultAppID]
	contentType, form := uploadBody(f, media.SamplePicture(), `{"title":"x"}`)
	for number := range paths {
		f.Add(uint(number), "type=image&openid="+DefaultFollower, []byte(`{"touser":"`+DefaultFollower+`","msgtype":"text","text":{"content":"x"}}`))
		f.Add(uint(number), "type=video", form.Bytes())
		f.Add(uint(number), "ticket=x", []byte(`{"openid_list":[""],"user_list":[{}],"tag":{"id":-1},"data":{"x":null},"filter":{},"action_info":null}`))
	}
	f.Fuzz(func(t *testing.T, number uint, rawQuery string, body []byte) {
		path := paths[number%uint(len(paths))]
		query, err := url.ParseQuery(rawQuery)
		if err != nil {
			t.Skip()
		}
		platform.mu.Lock()
		now := platform.state.clock.now()
		current := account.tokens.Current(TokenStable, now)
		if current == nil {
			current = account.tokens.Issue(TokenStable, now)
		}
		platform.mu.Unlock()
		query.Set("access_token", current.Value)
		given := platform.decide(table, &apiRequest{
			method: table[path].method, path: path, query: query, body: body, header: http.Header{"Content-Type": {contentType}},
		})
		switch {
		case path == "/cgi-bin/showqrcode" || given.file != nil || given.work != nil:
		case given.status != http.StatusOK || !json.Valid(given.body):
			t.Errorf("%s: status %d, %q", path, given.status, given.body)
		}
	})
}
