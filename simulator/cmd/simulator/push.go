package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/wxstack/wxstack/simulator"
)

// pushCommand pushes one message or event and prints the exchange.
type pushCommand struct {
	target

	Type     string            `help:"MsgType, such as text, image, voice, location, event; see 'simulator types'." default:"text"`
	Content  string            `help:"Content of a text." default:"你好"`
	Event    string            `help:"Event, such as subscribe, CLICK, SCAN; implies --type event."`
	EventKey string            `help:"EventKey: a menu key, a URL or a scene."`
	Field    map[string]string `help:"Value by its path in the document, such as Recognition=你好 or ScanCodeInfo/ScanResult=x; the second of elements that repeat is item[2]; repeatable." placeholder:"PATH=VALUE"`
	From     string            `help:"OpenID of the follower." default:"${follower}"`
	Media    string            `help:"File of a picture, voice or video." type:"existingfile"`
	XML      string            `name:"xml" help:"File with a document of your own, XML or JSON; - reads it from standard input." placeholder:"FILE"`
	Expect   string            `help:"Fail unless the follower sees a text that contains this."`
	JSON     bool              `name:"json" help:"Print the result as JSON."`
}

// push is what the command pushes.
func (c *pushCommand) push(stdin io.Reader) (simulator.Push, error) {
	push := simulator.Push{
		From: c.From, Type: simulator.Type(c.Type), Event: c.Event, EventKey: c.EventKey, Fields: c.Field,
	}
	if push.Event != "" {
		push.Type = simulator.TypeEvent
	}
	if push.Type == simulator.TypeText {
		push.Content = c.Content
	}
	var err error
	if c.Media != "" {
		if push.Media, err = os.ReadFile(c.Media); err != nil {
			return push, fmt.Errorf("read --media: %w", err)
		}
	}
	if c.XML != "" {
		document, err := readFile(c.XML, stdin)
		if err != nil {
			return push, fmt.Errorf("read --xml: %w", err)
		}
		push.XML = string(document)
	}

	return push, nil
}

func readFile(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}

	return os.ReadFile(name)
}

// Run pushes and prints. The exit code is 1 unless the answer was valid and as expected.
func (c *pushCommand) Run(ctx context.Context, streams streams) error {
	push, err := c.push(streams.in)
	if err != nil {
		return usage(err)
	}

	return c.with(ctx, func(ctx context.Context, platform *simulator.Platform) error {
		result, err := platform.Push(ctx, push)
		if err != nil {
			return classify(err)
		}
		if c.JSON {
			err = printJSON(streams.out, result)
		} else {
			_, err = io.WriteString(streams.out, describePush(result, platform.URL()))
		}
		if err != nil {
			return err
		}
		problem := c.problem(result)
		if problem == "" {
			return nil
		}
		_, _ = fmt.Fprintln(streams.err, "✗ "+problem)

		return errNotRight
	})
}

// problem says what isn't right about a result, nothing if all is.
func (c *pushCommand) problem(result simulator.PushResult) string {
	switch {
	case result.Outcome == simulator.OutcomeFailed:
		return "没有有效应答 (no delivery got a valid answer)"
	case c.Expect == "" || strings.Contains(seen(result), c.Expect):
		return ""
	default:
		return fmt.Sprintf("粉丝没有看到 %q (the follower didn't see it)", c.Expect)
	}
}

// seen is all that the follower saw, as text.
func seen(result simulator.PushResult) string {
	lines := make([]string, 0, len(result.Shown))
	for _, line := range result.Shown {
		lines = append(lines, describeLine(line))
	}

	return strings.Join(lines, "\n")
}

func describeLine(line simulator.ChatEntry) string {
	const each = 3
	parts := append(make([]string, 0, 2+each*len(line.Articles)), line.Text, line.MediaID)
	for _, article := range line.Articles {
		parts = append(parts, article.Title, article.Description, article.URL)
	}

	return strings.TrimSpace(strings.Join(parts, " "))
}

// describePush tells an exchange for people.
func describePush(result simulator.PushResult, api string) string {
	var out strings.Builder
	kind := cmp.Or(result.Event, string(result.Type), result.InfoType)
	fmt.Fprintf(&out, "%s, %s, %s（API: %s）\n", kind, result.Mode, result.Format, api)
	section(&out, "明文 (document)", result.Clear)
	if first := result.Deliveries[0]; first.RequestBody != result.Clear {
		section(&out, "发送的内容 (sent)", first.RequestBody)
	}
	section(&out, "请求 (request)", "POST "+readable(result.Deliveries[0].RequestURL))
	for _, delivery := range result.Deliveries {
		status := "没有应答"
		if delivery.Status != 0 {
			status = fmt.Sprintf("HTTP %d", delivery.Status)
		}
		fmt.Fprintf(&out, "\n第 %d 次推送 (delivery): %s, %.0f of %.0f ms: %s, %s (%s)\n",
			delivery.Attempt, status, delivery.DurationMS, delivery.TimeoutMS, delivery.Verdict, delivery.ReasonZh, delivery.Reason)
		section(&out, "应答 (answer)", cmp.Or(delivery.ResponseBody, "（空）"))
		section(&out, "解密后 (opened)", delivery.Opened)
	}
	shown := "粉丝什么也没看到 (nothing)"
	if len(result.Shown) > 0 {
		shown = seen(result)
	}
	section(&out, "粉丝看到 (the follower sees)", shown)

	return out.String()
}

func section(out *strings.Builder, title, text string) {
	if text != "" {
		fmt.Fprintf(out, "\n%s:\n    %s\n", title, strings.ReplaceAll(text, "\n", "\n    "))
	}
}

// readable is a URL as people read it.
func readable(address string) string {
	if text, err := url.QueryUnescape(address); err == nil {
		return text
	}

	return address
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// typesCommand lists what can be pushed.
type typesCommand struct {
	Name string `arg:"" optional:"" help:"Only this one, with its fields."`
	JSON bool   `name:"json" help:"Print them as JSON."`
}

// Run lists the catalogue, or the fields of one entry.
func (c *typesCommand) Run(streams streams) error {
	platform, err := simulator.New(simulator.Options{})
	if err != nil {
		return err
	}
	types := platform.Types()
	if err := platform.Close(); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.out, types)
	}
	table := tabwriter.NewWriter(streams.out, 0, 0, 2, ' ', 0)
	found := false
	for _, one := range types {
		if c.Name != "" && c.Name != one.Name {
			continue
		}
		found = true
		fmt.Fprintf(table, "%s\t%s\t%s\n", one.Name, one.Title, one.TitleEn)
		for _, field := range one.Fields {
			if c.Name != "" {
				fmt.Fprintf(table, "  %s\t%s\t\n", field.Path, field.Sample)
			}
		}
	}
	if !found {
		return usage(fmt.Errorf("%q is no type, call 'simulator types' for all", c.Name))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}
