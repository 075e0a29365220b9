package responder // Main ends the process; what it does before is tested from inside.

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"
)

type ownSettings struct {
	Budget int `name:"budget" env:"TEST_BUDGET" default:"100" help:"A number."`
}

func (s *ownSettings) Check() error {
	if s.Budget < 0 {
		return errors.New("TEST_BUDGET: must not be negative")
	}
	return nil
}

func TestSettingsOfAProgram(t *testing.T) {
	t.Parallel()
	own := new(ownSettings)
	cfg := settings{own: own, Plugins: kong.Plugins{own}}
	args := []string{"--listen-addr", "127.0.0.1:1", "--budget=-1", "--api-proxy-key-file", "/nowhere", "--tls-cert-file", "x"}
	if _, err := config.Parse("test", "A test.", args, &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.ListenAddr != "127.0.0.1:1" || own.Budget != -1 || cfg.APIProxyAddr == "" {
		t.Errorf("read %+v and %+v", cfg, own)
	}
	err := cfg.Check()
	for _, want := range []string{"TEST_BUDGET", "API_PROXY_KEY_FILE", "TLS_KEY_FILE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is wrong, and the error is %v", want, err)
		}
	}
}

func TestWhatKeepsAProgramFromStartingIsNamed(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	fine := func(context.Context, Host) (Handler, error) { return Always(Silence()), nil }
	for want, p := range map[string]Program{
		"LOGIC_LISTEN_ADDR": {Build: fine},
		"no database":       {Build: func(context.Context, Host) (Handler, error) { return nil, errors.New("no database") }},
	} {
		cfg := settings{ListenAddr: taken.Addr().String(), APIProxyAddr: "127.0.0.1:1"}
		if _, err := p.assemble(t.Context(), cfg, telemetry.Discard()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s named", err, want)
		}
	}
}

// TestPartsStopAfterTheServer: what the handler leans on is there until the last answer.
func TestPartsStopAfterTheServer(t *testing.T) {
	t.Parallel()
	asked, may, order := make(chan struct{}), make(chan struct{}), make(chan string, 2)
	p := Program{Build: func(_ context.Context, host Host) (Handler, error) {
		host.Parts.Add("leaned-on", lifecycle.Func(func(ctx context.Context) error {
			<-ctx.Done()
			order <- "part stopped"
			return nil
		}))
		return HandlerFunc(func(context.Context, *logicv1.ReplyRequest) (*logicv1.ReplyResponse, error) {
			close(asked)
			<-may
			order <- "answered"
			return Silence(), nil
		}), nil
	}}
	addr := freeAddr(t)
	part, err := p.assemble(t.Context(), settings{ListenAddr: addr, APIProxyAddr: "127.0.0.1:1"}, telemetry.Discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- part.Run(ctx) }()
	conn, err := rpc.Dial(addr, telemetry.Discard(), rpc.TLS{}, rpc.Never)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answered := make(chan error, 1)
	go func() {
		_, err := logicv1.NewLogicServiceClient(conn).Reply(t.Context(), &logicv1.ReplyRequest{
			Message: &messagev1.Message{FromUserName: "o", MsgType: "text"},
		})
		answered <- err
	}()
	<-asked
	stop()
	close(may)
	if err := <-answered; err != nil {
		t.Errorf("what was asked before the stop got %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if first, second := <-order, <-order; first != "answered" || second != "part stopped" {
		t.Errorf("%s before %s", first, second)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	lis, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().String()
}
