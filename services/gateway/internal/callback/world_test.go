package callback_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/wxstack/wxstack/chassis/telemetry"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/accounts"
	"github.com/wxstack/wxstack/services/gateway/internal/allowance"
	"github.com/wxstack/wxstack/services/gateway/internal/callback"
	"github.com/wxstack/wxstack/services/gateway/internal/dedupe"
	"github.com/wxstack/wxstack/services/gateway/internal/late"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/message"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The account of all tests, that of the protocol's own vectors.
const (
	testAppID      = "wx0123456789abcdef"
	testOriginalID = "gh_0123456789ab"
	testToken      = "myToken123"
	testAESKey     = "k7Qw2ZrT9xLbN4vYh1JcS8mPdE6uGfA3oKiR5tXyW0B"
)

// directory loads an accounts file with one account in the given mode and, if there are any, others. An
// answer that comes too late is dropped.
func directory(tb testing.TB, mode account.Encryption, others ...string) *accounts.Directory {
	tb.Helper()
	return directoryFor(tb, mode, "{policy: drop}", others...)
}

// directoryFor is directory with what is done about late answers.
func directoryFor(tb testing.TB, mode account.Encryption, lateAnswer string, others ...string) *accounts.Directory {
	tb.Helper()
	dir := tb.TempDir()
	put := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	token, key := put("token", testToken+"\n"), put("key", testAESKey)
	var file strings.Builder
	file.WriteString("accounts:\n")
	for i, appID := range append([]string{testAppID}, others...) {
		originalID := testOriginalID
		if i > 0 {
			originalID = fmt.Sprintf("gh_%012d", i)
		}
		fmt.Fprintf(&file, "  - {app_id: %s, original_id: %s, encryption: %s, late_answer: %s, callback_token_file: %q, encoding_aes_key_file: %q}\n",
			appID, originalID, mode, lateAnswer, token, key)
	}
	d, err := accounts.Load(put("accounts.yaml", file.String()), true)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// logic is a logic service with behaviour: it takes its time and replies.
type logic struct {
	delay time.Duration
	reply message.Reply
	err   error

	mu    sync.Mutex
	asked map[string]int
}

func (l *logic) Reply(ctx context.Context, _ string, in message.Message, _, _ time.Time) (message.Reply, string, error) {
	l.mu.Lock()
	if l.asked == nil {
		l.asked = map[string]int{}
	}
	l.asked[in.Key()]++
	l.mu.Unlock()
	if l.delay == 0 {
		return l.reply, "rule", l.err
	}
	select {
	case <-ctx.Done():
		return nil, "", ctx.Err()
	case <-time.After(l.delay):
		return l.reply, "rule", l.err
	}
}

func (l *logic) times(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[key]
}

// proxy is an api-proxy that takes every customer-service message.
type proxy struct {
	mu   sync.Mutex
	sent []string
}

func (p *proxy) Call(_ context.Context, in *apiproxyv1.CallRequest, _ ...grpc.CallOption) (*apiproxyv1.CallResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, string(in.GetBody()))
	return &apiproxyv1.CallResponse{HttpStatus: http.StatusOK}, nil
}

// texts are the contents of the messages that were sent.
func (p *proxy) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	texts := make([]string, 0, len(p.sent))
	for _, body := range p.sent {
		_, rest, _ := strings.Cut(body, `"content":"`)
		content, _, _ := strings.Cut(rest, `"`)
		texts = append(texts, content)
	}
	return texts
}

// grants are what followers allowed.
type grants struct {
	mu  sync.Mutex
	all []allowance.Grant
}

func (g *grants) Grant(one allowance.Grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, one)
}

// replica is one gateway.
type replica struct {
	*callback.Handler

	grants   *grants
	registry *prometheus.Registry
	log      *lockedBuffer
	stop     func(context.Context)
}

// Drain stops the replica in order. It may be called again.
func (r *replica) Drain(ctx context.Context) { r.stop(ctx) }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newReplica(tb testing.TB, d *accounts.Directory, store dedupe.Store, replier late.Replier) *replica {
	tb.Helper()
	return newReplicaOf(tb, house{
		accounts: func() *accounts.Directory { return d },
		store:    store, late: late.NewMemory(), replier: replier, proxy: &proxy{},
	})
}

// house is what replicas share.
type house struct {
	accounts func() *accounts.Directory
	callers  func(*http.Request) error // nil: anybody may call
	store    dedupe.Store
	late     late.Store
	replier  late.Replier
	proxy    late.Proxy
}

func newReplicaOf(tb testing.TB, h house) *replica {
	tb.Helper()
	var log lockedBuffer
	tel := telemetry.ForTest(&log)
	working := func(context.Context) error { return nil }
	owner := rand.Text()
	granted := &grants{}
	asker := late.NewAsker(h.replier, tel.Log)
	courier := late.New(late.Options{
		Store: h.late, Asker: asker, Proxy: h.proxy, Owner: owner, Accounts: func() []string { return []string{testAppID} },
		ReportProxy: func(error) {}, Log: tel.Log, Metrics: tel.Metrics,
	})
	r := &replica{
		Handler: callback.New(callback.Options{
			Accounts:        h.accounts,
			Callers:         h.callers,
			Deduper:         dedupe.NewWindow(h.store, working, func(error) {}),
			Asker:           asker,
			Late:            courier,
			Allowances:      granted,
			Owner:           owner,
			TimestampWindow: 10 * time.Minute,
			BodyLimit:       1 << 20,
			Log:             tel.Log,
			Metrics:         tel.Metrics,
		}),
		grants:   granted,
		registry: tel.Metrics,
		log:      &log,
	}
	ran, ctx := make(chan error, 1), tb.Context()
	go func() { ran <- courier.Run(ctx) }()
	var once sync.Once
	r.stop = func(ctx context.Context) {
		once.Do(func() {
			r.Handler.Drain(ctx)
			courier.Drain(ctx)
			if err := <-ran; err != nil {
				tb.Error(err)
			}
		})
	}
	tb.Cleanup(func() { r.stop(tb.Context()) })
	return r
}

// count sums a counter over all labels that match.
func (r *replica) count(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	var sum float64
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			text := metric.String()
			matches := true
			for _, label := range labels {
				matches = matches && strings.Contains(text, strconv.Quote(label))
			}
			if matches {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// take returns what was logged and empties the buffer.
func (l *lockedBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// push makes the request by which WeChat delivers a push in a mode, now.
func push(tb testing.TB, mode account.Encryption, path, plaintext string) *http.Request {
	tb.Helper()
	return pushAt(tb, mode, path, plaintext, strconv.FormatInt(time.Now().Unix(), 10), "1320562132")
}

func pushAt(tb testing.TB, mode account.Encryption, path, plaintext, timestamp, nonce string) *http.Request {
	tb.Helper()
	query := url.Values{"timestamp": {timestamp}, "nonce": {nonce}, "openid": {"oABCDEFGHIJKLMNOPQRSTUVWXYZ0"}}
	query.Set("signature", signature.Sign(testToken, timestamp, nonce))
	body := plaintext
	if mode != account.EncryptionPlain {
		sealed, err := testCipher(tb).Seal([]byte(plaintext), timestamp, nonce)
		if err != nil {
			tb.Fatal(err)
		}
		query.Set("encrypt_type", "aes")
		query.Set("msg_signature", sealed.MsgSignature)
		encrypt := "<Encrypt><![CDATA[" + sealed.Encrypt + "]]></Encrypt>"
		if mode == account.EncryptionSafe {
			body = "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>" + encrypt + "</xml>"
		} else {
			// What stands in clear is forged: only the cipher text may count.
			body = "<xml><FromUserName>forged</FromUserName><MsgType>text</MsgType>" + encrypt + "</xml>"
		}
		if message.FormatOf([]byte(plaintext)) == message.JSON {
			body = fmt.Sprintf(`{"ToUserName":"gh_0123456789ab","FromUserName":"forged","Encrypt":%q}`, sealed.Encrypt)
		}
	}
	return httptest.NewRequest(http.MethodPost, path+"?"+query.Encode(), strings.NewReader(body))
}

func testCipher(tb testing.TB) *msgcrypt.Cipher {
	tb.Helper()
	cipher, err := msgcrypt.New(testAppID, testToken, testAESKey)
	if err != nil {
		tb.Fatal(err)
	}
	return cipher
}

// unseal opens a sealed reply as WeChat does.
func unseal(tb testing.TB, body string) string {
	tb.Helper()
	// The envelope of a reply has the elements of a push's and three more.
	envelope, err := message.ParseEnvelope([]byte(body))
	if err != nil {
		tb.Fatalf("%v in %s", err, body)
	}
	element := func(name string) string {
		if envelope.Format == message.JSON {
			members := map[string]any{}
			decoder := json.NewDecoder(strings.NewReader(body))
			decoder.UseNumber()
			if err := decoder.Decode(&members); err != nil {
				tb.Fatal(err)
			}
			return fmt.Sprint(members[name])
		}
		_, rest, _ := strings.Cut(body, "<"+name+">")
		value, _, _ := strings.Cut(rest, "</"+name+">")
		return strings.TrimSuffix(strings.TrimPrefix(value, "<![CDATA["), "]]>")
	}
	plaintext, err := testCipher(tb).Open(element("MsgSignature"), element("TimeStamp"), element("Nonce"), envelope.Encrypt)
	if err != nil {
		tb.Fatal(err)
	}
	return string(plaintext)
}

// text is a text message.
func text(id int, content string) string {
	return fmt.Sprintf("<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oABCDEFGHIJKLMNOPQRSTUVWXYZ0]]></FromUserName>"+
		"<CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%d</MsgId></xml>", content, id)
}

// answer is what came back on one delivery.
type answer struct {
	status int
	header http.Header
	body   string
	// closed says that the gateway closed the connection without an answer.
	closed bool
}

// serve makes one request.
func serve(h http.Handler, r *http.Request) (got answer) {
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			got = answer{closed: true}
		}
	}()
	h.ServeHTTP(w, r)
	return answer{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// Begin is never possible, so that Reply is always asked.
func (*logic) Begin(string, message.Message, time.Time, time.Time, time.Time, func(message.Reply, string, bool, error)) func() {
	return nil
}
