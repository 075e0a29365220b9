package e2e

import (
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
	"github.com/wxstack/wxstack/simulator"
	"github.com/wxstack/wxstack/test/harness"
	"github.com/wxstack/wxstack/wechat/account"
)

// elsewhere is an account without an account book.
const elsewhere = "wxdev0000000000002"

// TestLogicOfYourOwn judges the examples, in each language, by what followers read.
func TestLogicOfYourOwn(t *testing.T) {
	t.Parallel()
	for language, start := range map[string]func(t *testing.T, env ...string) *harness.Process{
		"Go": startGoExample, "Python": startPythonExample,
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			second := account.Development()
			second.AppID, second.OriginalID = elsewhere, "gh_dev000000002"
			addr := harness.FreeAddr(t)
			house := harness.StartStandalone(t, "--own-logic", addr, "--accounts", harness.WriteAccounts(t, account.Development(), second))
			example := start(t, "LOGIC_LISTEN_ADDR="+addr, "API_PROXY_ADDR="+house.APIProxyGRPC)

			expectAnswers(t, house.Platform)
			expectAWarningAfterTheReply(t, house.Platform)
			expectOneEntryForEachKey(t, addr)

			example.Signal(t, syscall.SIGTERM)
			if err := example.Wait(t); err != nil {
				t.Errorf("after SIGTERM it ended with %v", err)
			}
		})
	}
}

func startGoExample(t *testing.T, env ...string) *harness.Process {
	t.Helper()
	return harness.Start(t, harness.Build(t, "./examples/own-logic-go"), append(env, "DEBUG_LISTEN_ADDR="+harness.FreeAddr(t)))
}

// startPythonExample generates the stubs into a folder of the test's: the source tree stays as it is.
func startPythonExample(t *testing.T, env ...string) *harness.Process {
	t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import google.protobuf, grpc, grpc_tools").Run(); err != nil {
		harness.Missing(t, python+" lacks gRPC: apt-get install python3-protobuf python3-grpcio python3-grpc-tools")
	}
	harness.Require(t, "make", "apt-get install make")
	folder, stubs := filepath.Join(harness.Root(t), "examples", "own-logic-python"), t.TempDir()
	generate := exec.CommandContext(t.Context(), "make", "-C", folder, "stubs", "PYTHON="+python, "STUBS="+stubs)
	if output, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	env = append(env, "PYTHONPATH="+stubs, "PYTHONDONTWRITEBYTECODE=1")
	return harness.Start(t, python, env, filepath.Join(folder, "main.py"))
}

func expectAnswers(t *testing.T, platform *harness.Platform) {
	t.Helper()
	const (
		one  = "oOWNLOGIC01"
		two  = "oOWNLOGIC02"
		help = "发送「项目 金额」来记账，例如：咖啡 18。发送「合计」看总数。"
	)
	event := func(from, name, key string) harness.Push {
		return harness.Push{From: from, Type: simulator.TypeEvent, Event: name, EventKey: key}
	}
	text := func(from, content string) harness.Push {
		return harness.Push{From: from, Type: simulator.TypeText, Content: content}
	}
	other := text(one, "咖啡 18")
	other.Account = elsewhere
	for _, step := range []struct {
		push harness.Push
		want []string
	}{
		{event(one, simulator.EventSubscribe, ""), []string{"欢迎！" + help}},
		{text(one, "咖啡 18"), []string{"记下了：咖啡 18 元，合计 18 元。"}},
		{text(one, "书　20"), []string{"记下了：书 20 元，合计 38 元。"}},
		{text(two, "茶 5"), []string{"记下了：茶 5 元，合计 5 元。"}},
		{text(one, "合计"), []string{"一共 2 笔，合计 38 元。"}},
		{event(one, simulator.EventClick, "TOTAL"), []string{"一共 2 笔，合计 38 元。"}},
		{text(one, "你好"), []string{"看不懂。" + help}},
		{harness.Push{From: one, Type: simulator.TypeImage}, nil},
		{other, []string{"这个公众号不记账。"}},
	} {
		if step.push.Account == "" {
			step.push.Account = account.DevelopmentAppID
		}
		result := platform.Push(step.push)
		var shown []string
		for _, line := range result.Shown {
			shown = append(shown, line.Text)
		}
		if !slices.Equal(shown, step.want) || result.Outcome == simulator.OutcomeFailed {
			t.Errorf("%s %s%s in %s: shown %q, want %q", step.push.Type, step.push.Content, step.push.EventKey, step.push.Account, shown, step.want)
		}
	}
}

// expectAWarningAfterTheReply: the customer-service message is sent once and comes second.
func expectAWarningAfterTheReply(t *testing.T, platform *harness.Platform) {
	t.Helper()
	const from = "oOWNLOGIC03"
	platform.Push(harness.Push{Account: account.DevelopmentAppID, From: from, Type: simulator.TypeText, Content: "显示器 999"})
	type line struct {
		channel simulator.Channel
		text    string
	}
	var got []line
	for _, entry := range platform.Chat(from, 3) {
		if entry.Side == simulator.SideAccount {
			got = append(got, line{entry.Channel, entry.Text})
		}
	}
	want := []line{
		{simulator.ChannelReply, "记下了：显示器 999 元，合计 999 元。"},
		{simulator.ChannelCustom, "提醒：已经超出预算 100 元。"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("the follower read %v, want %v", got, want)
	}
}

// expectOneEntryForEachKey asks as gateways do of which one dies, and as one that wants a shadow of the answer.
func expectOneEntryForEachKey(t *testing.T, addr string) {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := logicv1.NewLogicServiceClient(conn)
	for _, step := range []struct {
		key    string
		shadow bool
		total  string
	}{
		{"s1", true, "10"}, {"m1", false, "10"}, {"m1", false, "10"}, {"m2", true, "20"}, {"m2", false, "20"}, {"m1", false, "10"},
	} {
		resp, err := client.Reply(t.Context(), &logicv1.ReplyRequest{MessageKey: step.key, Shadow: step.shadow, Message: &messagev1.Message{
			AppId: account.DevelopmentAppID, FromUserName: "oOWNLOGIC04", MsgType: "text",
			Content: &messagev1.Message_Text{Text: &messagev1.Text{Content: "茶 10"}},
		}})
		want := "记下了：茶 10 元，合计 " + step.total + " 元。"
		if got := resp.GetReply().GetText().GetContent(); err != nil || got != want || resp.GetRule() == "" {
			t.Errorf("%+v: %v, %v; want %q", step, resp, err, want)
		}
	}
}
