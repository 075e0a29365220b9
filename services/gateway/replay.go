package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	"github.com/wxstack/wxstack/chassis/rpc"
	"github.com/wxstack/wxstack/chassis/telemetry"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	"github.com/wxstack/wxstack/services/gateway/internal/replay"
)

// replayFlags are those of the command replay.
type replayFlags struct {
	File string `arg:"" help:"Recording, as gateway writes it where the routes file has record. - is standard input."`

	To          string `name:"to" default:"localhost:50051" help:"gRPC target of the LogicService to ask."`
	Account     string `name:"account" help:"AppID of the account whose messages are replayed. Empty: all."`
	Limit       int    `name:"limit" help:"Replay so many messages at most. 0: all."`
	Concurrency int    `name:"concurrency" default:"1" help:"Messages under way at once. With more than one those of a follower may overtake each other."`
	Act         bool   `name:"act" help:"Let logic act on the messages as on new ones: send, store and spend. Without it each says that it is a copy (shadow)."`
	JSON        bool   `name:"json" help:"Print a JSON object per message, and one with the summary."`
}

// Help shows what --help cannot guess.
func (*replayFlags) Help() string {
	return `For example:
  gateway replay messages.jsonl --to localhost:50051
  gateway replay messages.jsonl --account wx0000000000000001 --limit 100 --json
Of gateway's own settings only TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE count.`
}

// ReplayCommand is the command replay: it asks a logic service what a recording says, and prints the replies and how
// often each rule decided.
func ReplayCommand(cfg *Config) lifecycle.Command {
	flags := new(replayFlags)
	return lifecycle.Command{
		Command: config.Command{
			Name: "replay", Flags: flags,
			Help: "Ask a logic service about the messages of a recording; exit code 1 means that any failed.",
		},
		Unchecked: true,
		Run: func(ctx context.Context, out io.Writer) error {
			return flags.run(ctx, cfg.TLS, out)
		},
	}
}

func (f *replayFlags) run(ctx context.Context, files rpc.TLS, out io.Writer) (err error) {
	if f.Limit < 0 || f.Concurrency < 1 {
		return errors.New("--limit is 0 or more, --concurrency 1 or more")
	}
	if err := files.Check(); err != nil {
		return err
	}
	recorded := os.Stdin
	if f.File != "-" {
		if recorded, err = os.Open(f.File); err != nil {
			return err
		}
		defer recorded.Close() //nolint:errcheck // nothing was written.
	}
	conn, err := rpc.Dial(f.To, telemetry.Discard(), files, rpc.Never)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	printer := replay.ForPeople(out)
	if f.JSON {
		printer = replay.ForPrograms(out)
	}
	var sum replay.Summary
	options := replay.Options{Account: f.Account, Limit: f.Limit, Concurrency: f.Concurrency, Act: f.Act}
	for result := range replay.Run(ctx, logicv1.NewLogicServiceClient(conn), recorded, options) {
		sum.Add(result)
		if err := printer.Print(result); err != nil {
			return err
		}
	}
	if err := printer.Sum(sum); err != nil {
		return err
	}
	return errors.Join(ctx.Err(), sum.Err())
}
