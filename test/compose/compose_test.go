// Package compose tests docker-compose.yml as it is shipped, on a real container engine.
package compose

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tokenv1 "github.com/wxstack/wxstack/proto/wxstack/token/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// What the compose file publishes.
const (
	edgeURL        = "http://127.0.0.1:8080"
	edgeStatusURL  = "http://127.0.0.1:8405"
	simulatorURL   = "http://127.0.0.1:8090"
	apiProxyURL    = "http://127.0.0.1:8081"
	tokenCenter    = "127.0.0.1:50053"
	composeTimeout = 10 * time.Minute
)

// stack is a compose project that is brought down at the end of the test.
type stack struct {
	t       *testing.T
	command []string
}

// up brings the shipped file up with the given command (`docker compose` or `docker-compose`).
func up(t *testing.T, command []string, flags ...string) *stack {
	t.Helper()
	requireEngine(t, command)
	s := &stack{t: t, command: append(command, "--project-name", "wxstack-test")}
	s.run("down", "--volumes", "--remove-orphans", "--timeout", "5")
	requirePorts(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs:\n%s", tail(s.run("logs", "--no-color", "--tail", "60"), 20_000))
		}
		s.run("down", "--volumes", "--remove-orphans", "--timeout", "5")
	})
	s.run(append([]string{"up", "--detach"}, flags...)...)
	harness.Eventually(t, "the edge has a gateway", func() error { return harness.Ready(t.Context(), edgeStatusURL+"/healthz") })
	harness.Eventually(t, "the simulator answers", func() error { return harness.Ready(t.Context(), simulatorURL+"/sim/v1/health") })
	return s
}

func requireEngine(t *testing.T, command []string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		if os.Getenv("WXSTACK_NO_ENGINE") == "" {
			harness.Missing(t, fmt.Sprintf("no container engine answers: %s", bytes.TrimSpace(out)))
		}
		t.Skip("SKIPPED, not tested here: no container engine answers, and none could be started")
	}
	if out, err := exec.CommandContext(t.Context(), command[0], append(command[1:], "version")...).CombinedOutput(); err != nil {
		harness.Missing(t, fmt.Sprintf("%s is not installed: %s", strings.Join(command, " "), bytes.TrimSpace(out)))
	}
	for _, image := range []string{"gateway", "logic", "api-proxy", "token-center", "simulator"} {
		if err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "wxstack/"+image+":dev").Run(); err != nil {
			harness.Missing(t, "image wxstack/"+image+":dev is not there: make images")
		}
	}
}

// requirePorts says which of the published ports something else holds, such as a standalone that runs.
func requirePorts(t *testing.T) {
	t.Helper()
	for _, port := range []string{"8080", "8081", "8083", "8090", "8405", "50052", "50053"} {
		var lc net.ListenConfig
		lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			harness.Missing(t, "port "+port+", which the compose file publishes, is taken: stop what runs there")
		}
		if err := lis.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stack) run(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), composeTimeout)
	defer cancel()
	all := append(append([]string{}, s.command...), args...)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Dir = harness.Root(s.t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(all, " "), err, tail(string(out), 4000))
	}
	return string(out)
}

// containers returns the ids of a service's containers.
func (s *stack) containers(service string) []string {
	s.t.Helper()
	var ids []string
	for line := range strings.SplitSeq(s.run("ps", "--quiet", service), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			ids = append(ids, line)
		}
	}
	return ids
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func TestDockerCompose(t *testing.T) {
	s := up(t, []string{"docker", "compose"}, "--scale", "gateway=3", "--scale", "logic=2", "--scale", "token-center=2", "--scale", "api-proxy=2")
	p := harness.NewPlatform(t, simulatorURL)
	eventuallyServers(t, "gateway", 3)

	t.Run("URL verification through the edge", func(t *testing.T) {
		if got := p.Verify(""); !got.OK {
			t.Error(got.Reason)
		}
	})
	t.Run("2,000 messages, each answered once, by all replicas", func(t *testing.T) {
		before := sessions(t, "gateway")
		got := p.Load(harness.Push{Content: "你好", Count: 2000, Concurrency: 40, Followers: 100})
		expectAllShown(t, got, 2000)
		if got.Attempts["1"] != 2000 {
			t.Errorf("attempts %v, want every message answered at its first delivery", got.Attempts)
		}
		expectOneAnswerEach(t, p, 100, 20)
		after := sessions(t, "gateway")
		for server, n := range after {
			if n > 0 && n == before[server] {
				t.Errorf("replica %s served nothing: %v, then %v", server, before, after)
			}
		}
	})
	t.Run("a thousand callers of two replicas share one fetch", func(t *testing.T) { expectOneToken(t, p) })
	t.Run("a call out through api-proxy", func(t *testing.T) {
		const from = "oOUTWARD0001"
		p.Push(harness.Push{Type: simulator.TypeEvent, Event: simulator.EventClick, EventKey: "MENU_NOTIFY", From: from})
		if chat := p.Chat(from, 3); len(chat) != 3 || chat[2].Channel != simulator.ChannelCustom {
			t.Errorf("chat %+v", chat)
		}
		if body := call(t, "/cgi-bin/getcallbackip"); !strings.Contains(body, "ip_list") {
			t.Error(body)
		}
	})
	t.Run("an SDK gets a virtual token, the same of every replica", func(t *testing.T) { expectVirtualToken(t) })
	t.Run("a killed gateway leaves nothing unanswered", func(t *testing.T) {
		expectSurvival(t, s, p)
	})
	t.Run("containers are locked down", func(t *testing.T) { expectHardened(t, s) })
	t.Run("no log shows a secret", func(t *testing.T) {
		forbidden := []string{"wxstack-dev-secret", "wxstack-dev-token", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "你好"}
		for _, issued := range p.Tokens("").Tokens {
			forbidden = append(forbidden, issued.Value)
		}
		if err := harness.CheckLog(s.run("logs", "--no-color"), forbidden...); err != nil {
			t.Error(err)
		}
	})
}

// The older client brings the same file up.
func TestDockerComposeV1(t *testing.T) {
	up(t, []string{"docker-compose"}, "--scale", "gateway=2")
	p := harness.NewPlatform(t, simulatorURL)
	expectAllShown(t, p.Load(harness.Push{Content: "你好", Count: 50, Concurrency: 10}), 50)
}

func expectAllShown(t *testing.T, got simulator.LoadSummary, want int) {
	t.Helper()
	if got.Sent != want || got.Shown != want || got.Notices != 0 {
		t.Errorf("sent %d, shown %d, notices %d, want %d shown; attempts %v; failures: %+v",
			got.Sent, got.Shown, got.Notices, want, got.Attempts, got.Failures)
	}
}

// expectOneAnswerEach looks at the chats: as many answers as messages, each to its own.
func expectOneAnswerEach(t *testing.T, p *harness.Platform, followers, each int) {
	t.Helper()
	for i := range followers {
		openID := fmt.Sprintf("oLOAD%023d", i+1)
		answers := map[string]int{}
		for _, line := range p.Chat(openID, 0) {
			if line.Side == simulator.SideAccount {
				answers[line.Text]++
			}
		}
		if len(answers) != each {
			t.Errorf("follower %s got %d different answers, want %d", openID, len(answers), each)
		}
		for text, n := range answers {
			if n != 1 {
				t.Errorf("follower %s got %q %d times", openID, text, n)
			}
		}
	}
}

func expectSurvival(t *testing.T, s *stack, p *harness.Platform) {
	t.Helper()
	victim := s.containers("gateway")[0]
	var got simulator.LoadSummary
	var load sync.WaitGroup
	load.Go(func() {
		got = p.Load(harness.Push{Content: "还在吗", Count: 2000, Concurrency: 20, Followers: 100, IntervalMS: 20})
	})
	harness.Eventually(t, "the load runs", func() error {
		if len(p.Chat(fmt.Sprintf("oLOAD%023d", 100), 0)) < 42 {
			return errors.New("too early to kill")
		}
		return nil
	})
	if out, err := exec.CommandContext(t.Context(), "docker", "kill", "--signal", "KILL", victim).CombinedOutput(); err != nil {
		t.Fatalf("kill: %v: %s", err, out)
	}
	load.Wait()
	expectAllShown(t, got, 2000)
}

func expectOneToken(t *testing.T, p *harness.Platform) {
	t.Helper()
	conn, err := grpc.NewClient(tokenCenter, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	values := map[string]int{}
	var callers sync.WaitGroup
	for range 1000 {
		callers.Go(func() {
			resp, err := tokenv1.NewTokenServiceClient(conn).GetToken(ctx, &tokenv1.GetTokenRequest{})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("GetToken: %v", err)
			}
			values[resp.GetToken().GetValue()]++
		})
	}
	callers.Wait()
	if len(values) != 1 {
		t.Errorf("%d different tokens", len(values))
	}
	if fetches := p.Tokens("").Fetches; fetches.Stable != 1 {
		t.Errorf("fetches %+v, want one", fetches)
	}
}

// call calls WeChat's API through the edge and one of the api-proxies, and returns the answer.
func call(t *testing.T, uri string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, apiProxyURL+uri, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s, %v", resp.Status, body.String(), err)
	}
	return body.String()
}

// expectVirtualToken does what an SDK does whose base address was changed, and nothing else.
func expectVirtualToken(t *testing.T) {
	t.Helper()
	tokens := map[string]int{}
	for range 6 {
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		body := call(t, "/cgi-bin/token?grant_type=client_credential&secret=whatever&appid="+account.DevelopmentAppID)
		if err := json.Unmarshal([]byte(body), &answer); err != nil || !strings.HasPrefix(answer.AccessToken, "wxv1.") {
			t.Errorf("answer %s, %v", body, err)
		}
		tokens[answer.AccessToken]++
	}
	if len(tokens) != 1 {
		t.Errorf("the replicas give %d different tokens", len(tokens))
	}
	for token := range tokens {
		if body := call(t, "/cgi-bin/menu/get?access_token="+token); !strings.Contains(body, "button") {
			t.Error(body)
		}
	}
}

func expectHardened(t *testing.T, s *stack) {
	t.Helper()
	const format = "{{.Name}} {{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}}"
	for _, service := range []string{"redis", "token-center", "api-proxy", "logic", "gateway", "edge", "simulator"} {
		for _, id := range s.containers(service) {
			out, err := exec.CommandContext(t.Context(), "docker", "inspect", "--format", format, id).Output()
			if err != nil {
				t.Fatal(err)
			}
			fields := strings.Fields(string(out))
			if len(fields) != 6 || fields[1] != "true" || strings.HasPrefix(fields[2], "0") || fields[3] != "[ALL]" ||
				!strings.Contains(fields[4], "no-new-privileges") || fields[5] == "0" {
				t.Errorf("container is not locked down: %s", out)
			}
		}
	}
}

// sessions reads from the edge how many requests each replica of a backend has served.
func sessions(t *testing.T, backend string) map[string]int {
	t.Helper()
	return edgeMetric(t, "haproxy_server_http_responses_total", backend, `code="2xx"`)
}

// eventuallyServers waits until the edge sees so many healthy replicas.
func eventuallyServers(t *testing.T, backend string, want int) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("the edge sees %d of %s", want, backend), func() error {
		up := 0
		for _, n := range edgeMetric(t, "haproxy_server_status", backend, `state="UP"`) {
			up += n
		}
		if up != want {
			return fmt.Errorf("%d are up", up)
		}
		return nil
	})
}

// edgeMetric returns a metric of the edge by server, over the lines that have the label.
func edgeMetric(t *testing.T, metric, backend, label string) map[string]int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, edgeStatusURL+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	found := map[string]int{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, metric+`{`) || !strings.Contains(line, `proxy="`+backend+`"`) || !strings.Contains(line, label) {
			continue
		}
		_, rest, _ := strings.Cut(line, `server="`)
		server, _, _ := strings.Cut(rest, `"`)
		value, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err != nil {
			t.Fatalf("metric line %q: %v", line, err)
		}
		found[server] += int(value)
	}
	return found
}
