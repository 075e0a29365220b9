package proxies

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// replicas is how many api-proxies a world has.
const replicas = 3

// The calls that tests make: one that changes something, is never repeated, and shows what it says to the
// witness, and one that is safe to repeat.
const (
	sendPath = "/cgi-bin/message/template/send"
	readPath = "/cgi-bin/user/info?lang=zh_CN&openid=" + simulator.DefaultFollower
)

// secondAppID is the other account of every world.
const secondAppID = "wxdev0000000000000002"

// world is WeChat, Redis, token-center and three api-proxies.
type world struct {
	t         *testing.T
	platform  *simulator.Platform
	wechat    *witness
	redisAddr string
	redis     *harness.Process
	proxies   []*harness.Replica

	folder string // of the callers file and the keys
}

// newWorld starts a world whose callers file says what is given; see allow.
func newWorld(t *testing.T, callers string) *world {
	t.Helper()
	second := account.Development()
	second.AppID, second.OriginalID = secondAppID, "gh_dev000000002"
	w := &world{t: t, redisAddr: harness.FreeAddr(t), folder: t.TempDir(), platform: simulator.Start(t, func(o *simulator.Options) {
		other := simulator.DefaultAccount()
		other.AppID, other.OriginalID = second.AppID, second.OriginalID
		o.Accounts = []simulator.Account{simulator.DefaultAccount(), other}
	})}
	w.wechat = startWitness(t, w.platform)
	w.redis = harness.RedisAt(t, w.redisAddr)
	w.allow(callers)
	common := []string{"WX_ACCOUNTS_FILE=" + harness.WriteAccounts(t, account.Development(), second), "REDIS_URL=redis://" + w.redisAddr}
	center := harness.StartTokenCenter(t, append(slices.Clone(common), "WX_API_BASE_URL="+w.platform.URL())...)
	w.proxies = harness.StartAPIProxies(t, replicas, append(common,
		"WX_API_BASE_URL="+w.wechat.url, "TOKEN_CENTER_ADDR="+center, "WX_CALLERS_FILE="+w.callersFile())...)
	return w
}

func (w *world) callersFile() string { return filepath.Join(w.folder, "callers.yaml") }

// keyOf is the caller key of a name.
func keyOf(name string) string { return strings.Repeat(name+"-", 32/len(name)) + "key" }

// proof is a line of a callers file, in which the caller's key stands in the file beside it.
var proof = regexp.MustCompile(`name: (\w+)`)

// allow writes the callers file, whose callers are given by name without the proof.
func (w *world) allow(callers string) {
	w.t.Helper()
	for _, found := range proof.FindAllStringSubmatch(callers, -1) {
		w.write(found[1]+"_key", keyOf(found[1]))
	}
	w.write("callers.yaml", proof.ReplaceAllString(callers, "name: $1, key_file: "+w.folder+"/${1}_key"))
}

// write puts a file into its place as a whole, as careful editors do.
func (w *world) write(name, content string) {
	w.t.Helper()
	unfinished := filepath.Join(w.folder, "."+name)
	if err := os.WriteFile(unfinished, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(unfinished, filepath.Join(w.folder, name)); err != nil {
		w.t.Fatal(err)
	}
}

// witness sees every call that reaches WeChat. The simulator behind it remembers the last 1,000 only.
type witness struct {
	url string

	mu   sync.Mutex
	seen map[string][]time.Time // by what the call says; when it arrived
	// bodies are the digests of what came, by path.
	bodies map[string][][sha256.Size]byte
}

func startWitness(t *testing.T, platform *simulator.Platform) *witness {
	t.Helper()
	behind, err := url.Parse(platform.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	pass := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }}
	w := &witness{seen: map[string][]time.Time{}, bodies: map[string][][sha256.Size]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the api-proxy that called was killed.
		}
		w.saw(r.URL.Path, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		pass.ServeHTTP(rw, r)
	}))
	server.Config.ErrorLog = nil
	w.url = server.URL
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return w
}

// bodyOf is a template message that says something.
func bodyOf(says string) string {
	return fmt.Sprintf(`{"touser":%q,"template_id":%q,"data":{"keyword1":{"value":"says:%s"}}}`,
		simulator.DefaultFollower, simulator.DefaultTemplateID, says)
}

var saying = regexp.MustCompile(`says:([\w/-]+)`)

func (w *witness) saw(path string, body []byte) {
	now, digest := time.Now(), sha256.Sum256(body)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies[path] = append(w.bodies[path], digest)
	if found := saying.FindSubmatch(body); found != nil {
		w.seen[string(found[1])] = append(w.seen[string(found[1])], now)
	}
}

// digests returns those of the bodies that came to a path, in order.
func (w *witness) digests(path string) [][sha256.Size]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bodies[path]
}

// times returns how often WeChat got what a call says.
func (w *witness) times(says string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen[says])
}

// arrivals returns when calls arrived whose text begins so, in order.
func (w *witness) arrivals(prefix string) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Time
	for says, times := range w.seen {
		if strings.HasPrefix(says, prefix) {
			all = append(all, times...)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}
