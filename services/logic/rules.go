package logic

import (
	"context"
	_ "embed" // the schema of rule files.
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wxstack/wxstack/chassis/config"
	"github.com/wxstack/wxstack/chassis/lifecycle"
	logicv1 "github.com/wxstack/wxstack/proto/wxstack/logic/v1"
	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/rule"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

//go:embed rules/schema.json
var ruleSchema []byte

// RulesCommands are the commands rules check, rules try and rules schema. They look at a file alone: neither the files of
// secrets that it names nor anything else need be there.
func RulesCommands(cfg *Config) []lifecycle.Command {
	check, try := new(checkFlags), new(tryFlags)

	return []lifecycle.Command{
		{Command: config.Command{Name: "rules", Help: "Check a rule file, try it on a message, or print its schema."}},
		{
			Command:   config.Command{Name: "rules check", Flags: check, Help: "Check a rule file: every fault with line, column, reason and remedy. Exit code 1 if there is any."},
			Unchecked: true,
			Run: func(_ context.Context, out io.Writer) error {
				return checkRules(cfg.rulesIn(check.File), out)
			},
		},
		{
			Command:   config.Command{Name: "rules try", Flags: try, Help: "Show which rule of a file answers a message, and what."},
			Unchecked: true,
			Run: func(ctx context.Context, out io.Writer) error {
				return tryRules(ctx, cfg.rulesIn(try.File), try, out)
			},
		},
		{
			Command:   config.Command{Name: "rules schema", Help: "Print the JSON Schema of rule files, by which editors complete and underline."},
			Unchecked: true,
			Run: func(_ context.Context, out io.Writer) error {
				_, err := out.Write(ruleSchema)

				return err
			},
		},
	}
}

type checkFlags struct {
	File string `arg:"" optional:"" help:"Rule file. Without one that of WX_RULES_FILE, or the built-in rules."`
}

// tryFlags describe a message. Without any it is an empty text.
type tryFlags struct { //nolint:recvcheck // kong asks the value for its Help.
	File string `arg:"" optional:"" help:"Rule file. Without one that of WX_RULES_FILE, or the built-in rules."`

	Text     string    `name:"text" xor:"what" help:"The follower writes this text."`
	Event    string    `name:"event" xor:"what" help:"This event happens, such as subscribe, CLICK or SCAN."`
	Type     string    `name:"type" xor:"what" help:"The follower sends a message of this type, such as image or voice."`
	Key      string    `name:"key" help:"EventKey of the event."`
	Scene    string    `name:"scene" help:"Scene (场景值) of the QR code of the event SCAN or subscribe."`
	Choice   string    `name:"choice" help:"Id of the tapped entry of a menu message (bizmsgmenuid); goes with --text."`
	MediaID  string    `name:"media-id" default:"MEDIA_ID" help:"Media id of the picture, voice message or video."`
	Account  string    `name:"account" default:"wxdev0000000000001" help:"AppID, or original id (gh_…), of the account."`
	Follower string    `name:"follower" default:"oFOLLOWER" help:"OpenID of the follower; decides with rollout."`
	Tags     []string  `name:"tag" help:"Tag (标签) that the follower has, by name or id; may be repeated."`
	At       time.Time `name:"at" format:"2006-01-02 15:04" help:"When it is written, in China: '2026-12-24 18:00'. Now without it."`
}

// Help shows what --help cannot guess.
func (tryFlags) Help() string {
	return `For example:
  logic rules try rules.yaml --text 价格
  logic rules try rules.yaml --event CLICK --key MENU_HELP
  logic rules try rules.yaml --text 在吗 --at '2026-12-24 23:00' --tag VIP
Handlers that ask others (forward, assistant and the like) are named, not asked.`
}

// ruleFile is a file or the built-in rules.
type ruleFile struct {
	name string
	read func() ([]byte, error)
}

func (c *Config) rulesIn(path string) ruleFile {
	if path == "" {
		path = c.RulesFile
	}
	if path == "" {
		return ruleFile{name: "built-in rules", read: func() ([]byte, error) { return defaultRules, nil }}
	}

	return ruleFile{name: path, read: func() ([]byte, error) { return config.ReadFile(path) }}
}

func (f ruleFile) load() ([]route.Rule, error) {
	data, err := f.read()
	if err != nil {
		return nil, err
	}

	return rule.Load(f.name, data, nil)
}

func checkRules(file ruleFile, out io.Writer) error {
	rules, err := file.load()
	if invalid, ok := errors.AsType[*yamlfile.InvalidError](err); ok {
		for _, fault := range invalid.Faults {
			fmt.Fprintln(out, fault.In(file.name))
		}

		return fmt.Errorf("%s is wrong in %d place(s)", file.name, len(invalid.Faults))
	}
	if err != nil {
		return err
	}
	// Replies to choices are rules of their own, whose author has not counted them.
	written := slices.DeleteFunc(rules, func(r route.Rule) bool { return strings.Contains(r.Name, "/") })
	fmt.Fprintf(out, "%s: %d rules, nothing wrong\n", file.name, len(written))

	return nil
}

// tryRules prints the rule that answers, its answer, and which others match.
func tryRules(ctx context.Context, file ruleFile, flags *tryFlags, out io.Writer) error {
	rules, err := file.load()
	if err != nil {
		return err
	}
	req := flags.request()
	query := route.Query{Message: req.GetMessage(), Now: flags.at(), Tags: func() ([]string, error) { return flags.Tags, nil }}
	var others []string
	decided, otherwise := false, "would match too, were it not for that one"
	for one, err := range route.New(rules).Matching(query) {
		switch {
		case decided && err == nil:
			others = append(others, fmt.Sprintf("%q (line %d)", one.Name, one.Line))
		case decided:
		case err != nil:
			fmt.Fprintf(out, "rule %q in line %d cannot be judged, the next one is asked: %v\n", one.Name, one.Line, err)
		default:
			decided = answers(ctx, one, req, out)
			if _, prompt := one.Handler.(route.PromptHandler); !prompt {
				otherwise = "asked next, should that one have no answer"
			}
		}
	}
	if !decided {
		fmt.Fprintln(out, "no rule answers: the follower is shown nothing")
	}
	if len(others) > 0 {
		fmt.Fprintf(out, "%s: %s\n", otherwise, strings.Join(others, ", "))
	}

	return nil
}

// answers prints what a rule answers, and reports whether it does.
func answers(ctx context.Context, one *route.Rule, req *logicv1.ReplyRequest, out io.Writer) bool {
	handler, prompt := one.Handler.(route.PromptHandler)
	if !prompt {
		fmt.Fprintf(out, "rule %q in line %d has it answered by %s\n", one.Name, one.Line, one.Kind)

		return true
	}
	answer, err := handler.Answer(ctx, req)
	switch {
	case errors.Is(err, route.ErrPass):
		fmt.Fprintf(out, "rule %q in line %d matches and passes, the next one is asked\n", one.Name, one.Line)

		return false
	case err != nil:
		fmt.Fprintf(out, "rule %q in line %d matches and fails, the next one is asked: %v\n", one.Name, one.Line, err)

		return false
	}
	fmt.Fprintf(out, "rule %q in line %d answers:\n%s", one.Name, one.Line, shown(answer.Reply))
	for _, message := range answer.Send {
		fmt.Fprintf(out, "and sends:\n%s", sent(message))
	}
	if answer.Truncated {
		fmt.Fprintln(out, "a text was cut to what WeChat shows")
	}

	return true
}

// shown is a reply for people: a text as it is read, everything else as JSON.
func shown(reply *messagev1.Reply) string {
	const indent = "    "
	text := protojson.MarshalOptions{UseProtoNames: true}.Format(reply)
	switch {
	case reply == nil:
		text = "(nothing: success)"
	case reply.GetText() != nil:
		text = reply.GetText().GetContent()
	}

	return indent + strings.ReplaceAll(text, "\n", "\n"+indent) + "\n"
}

func sent(message route.Message) string {
	if message.Menu == nil {
		return shown(message.Content)
	}

	return "    " + protojson.MarshalOptions{UseProtoNames: true}.Format(message.Menu) + "\n"
}

func (f *tryFlags) at() time.Time {
	if f.At.IsZero() {
		return time.Now()
	}
	// The flag has no zone, and is read as if its time were UTC.
	return time.Date(f.At.Year(), f.At.Month(), f.At.Day(), f.At.Hour(), f.At.Minute(), 0, 0, fields.China)
}

// request is the message that the flags describe.
func (f *tryFlags) request() *logicv1.ReplyRequest {
	msg := &messagev1.Message{
		AppId: f.Account, ToUserName: f.Account, FromUserName: f.Follower, CreateTime: f.at().Unix(), MsgId: 1, MsgType: f.Type,
	}
	switch f.Type {
	case "image":
		msg.Content = &messagev1.Message_Image{Image: &messagev1.Image{MediaId: f.MediaID}}
	case "voice":
		msg.Content = &messagev1.Message_Voice{Voice: &messagev1.Voice{MediaId: f.MediaID}}
	case "video":
		msg.Content = &messagev1.Message_Video{Video: &messagev1.Video{MediaId: f.MediaID}}
	case "":
		f.describe(msg)
	}

	return &logicv1.ReplyRequest{Message: msg, MessageKey: "try", DeliveryTimeLeft: durationpb.New(5 * time.Second), BudgetTimeLeft: durationpb.New(14500 * time.Millisecond)}
}

// describe makes a message an event or a text.
func (f *tryFlags) describe(msg *messagev1.Message) {
	if f.Event == "" {
		msg.MsgType = "text"
		msg.Content = &messagev1.Message_Text{Text: &messagev1.Text{Content: f.Text, MenuEntryId: f.Choice}}

		return
	}
	key := f.Key
	if f.Scene != "" {
		key = f.Scene
		if strings.EqualFold(f.Event, "subscribe") {
			key = "qrscene_" + f.Scene
		}
	}
	msg.MsgType, msg.MsgId = "event", 0
	msg.Content = &messagev1.Message_Event{Event: &messagev1.Event{Name: f.Event, Key: key}}
}
