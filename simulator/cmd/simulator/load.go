package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wxstack/wxstack/simulator"
)

// loadCommand judges a server under load.
type loadCommand struct {
	target

	Count       int           `help:"Messages to send; without it --duration says when to stop."`
	Duration    time.Duration `help:"How long to send." default:"10s"`
	Rate        float64       `help:"Messages a second, whether answered or not (open loop); without it as answers come."`
	Concurrency int           `help:"Followers who wait at once; 16 without --rate."`
	Followers   int           `help:"Followers who send in turn; as many as messages, up to 2000, unless given."`
	Think       time.Duration `help:"How long a sender thinks between two messages."`
	Mix         string        `help:"Kinds of messages with their weights; after an event its key." default:"text=1" placeholder:"text=8,image=1,event:CLICK:MENU_HELP=1"`
	Content     string        `help:"Content of the texts; a number is added to each." default:"你好"`
	Expect      string        `help:"Right answer: any, reply, echo, or text: and the text with {content}, {marker} or {openid}." default:"any"`
	Repeat      float64       `help:"Share of answered messages to deliver once more, as if WeChat had lost the answer: 0 to 1."`
	Settle      time.Duration `help:"How long to wait for late answers (客服消息) after the last message; 2s if any are expected."`
	Reuse       bool          `help:"Keep connections, for rates that a new one each can't reach. WeChat opens a new one each time."`
	JSON        bool          `name:"json" help:"Print the report as JSON."`
}

// load is what the command sends.
func (c *loadCommand) load() (simulator.Load, error) {
	asked := simulator.Load{
		Push: simulator.Push{ReuseConnections: c.Reuse}, Count: c.Count, Duration: c.Duration, Rate: c.Rate, Concurrency: c.Concurrency,
		Followers: c.Followers, Interval: c.Think, Expect: simulator.Expectation(c.Expect), Repeat: c.Repeat, Settle: c.Settle,
	}
	if c.Count > 0 {
		asked.Duration = 0
	}
	if c.Rate == 0 && c.Concurrency == 0 {
		asked.Concurrency = 16
	}
	mix, err := simulator.ParseMix(c.Mix, c.Content)
	asked.Mix = mix

	return asked, err
}

// Run sends the load, shows its progress, and prints a report. The exit code is 1 if anything is wrong.
func (c *loadCommand) Run(ctx context.Context, streams streams) error {
	asked, err := c.load()
	if err != nil {
		return classify(err)
	}

	return c.with(ctx, func(ctx context.Context, platform *simulator.Platform) error {
		if _, err := platform.StartLoad(asked); err != nil {
			return classify(err)
		}
		progress := c.watch(ctx, platform, streams)
		if progress.Error != "" && ctx.Err() == nil {
			return usage(fmt.Errorf("%s", progress.Error)) //nolint:err113 // For people.
		}
		if c.JSON {
			err = printJSON(streams.out, progress.Summary)
		} else {
			_, err = fmt.Fprint(streams.out, describeLoad(progress.Summary))
		}
		if err == nil && !progress.Summary.OK() {
			err = errNotRight
		}

		return err
	})
}

// watch shows the progress every second until the load is over. When ctx ends, so does the load.
func (c *loadCommand) watch(ctx context.Context, platform *simulator.Platform, streams streams) simulator.LoadProgress {
	const pace, look = time.Second, 20 * time.Millisecond
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	said := time.Now()
	for {
		progress := platform.LoadProgress()
		if !progress.Running {
			return progress
		}
		if time.Since(said) >= pace {
			said = time.Now()
			one := progress.Summary
			_, _ = fmt.Fprintf(streams.err, "已发送 %d（%.0f/s），已应答 %d，失败 %d，p99 %.0f ms，问题 %d\n",
				one.Sent, one.PerSecond, one.Answered, one.Failed, one.Latency.P99, one.Lost+one.Duplicates+one.Wrong+one.Inconsistent)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			platform.StopLoad()
		}
	}
}

// findingsToldPerKind is how many examples of each kind people are told; --json has more.
const findingsToldPerKind = 3

// describeLoad is the report for people.
func describeLoad(one simulator.LoadSummary) string {
	var out strings.Builder
	fmt.Fprintf(&out, "发送 (sent)            %d in %.1f s, %.0f a second\n", one.Sent, one.DurationMS/float64(time.Second/time.Millisecond), one.PerSecond)
	fmt.Fprintf(&out, "有效应答 (answered)    %d, of which shown %d; late by 客服消息 %d\n", one.Answered, one.Shown, one.Late)
	fmt.Fprintf(&out, "延迟 (latency)         p50 %.1f  p95 %.1f  p99 %.1f  max %.1f ms\n", one.Latency.P50, one.Latency.P95, one.Latency.P99, one.Latency.Max)
	fmt.Fprintf(&out, "推送次数 (deliveries)  %s\n", describeAttempts(one.Attempts))
	if len(one.ByType) > 1 {
		for _, kind := range slices.Sorted(maps.Keys(one.ByType)) {
			tally := one.ByType[kind]
			fmt.Fprintf(&out, "  %-20s sent %d, answered %d, failed %d\n", kind, tally.Sent, tally.Answered, tally.Failed)
		}
	}
	for _, line := range []struct {
		name  string
		count int
	}{
		{"失败 (failed)         ", one.Failed}, {"丢失 (lost)           ", one.Lost}, {"重复 (duplicates)     ", one.Duplicates},
		{"错误 (wrong)          ", one.Wrong}, {"不一致 (inconsistent) ", one.Inconsistent},
	} {
		mark := "✓"
		if line.count > 0 {
			mark = "✗"
		}
		fmt.Fprintf(&out, "%s %s %d\n", mark, line.name, line.count)
	}
	if one.NotSent > 0 {
		fmt.Fprintf(&out, "✗ 未发送 (not sent)      %d were due while as many as --concurrency allows were still waiting for answers\n", one.NotSent)
	}
	if one.LateStarts > 0 {
		fmt.Fprintf(&out, "! %d messages were sent later than due: the rate is more than this machine, or --concurrency, allows\n", one.LateStarts)
	}
	told := make(map[string]int)
	for _, finding := range one.Findings {
		if told[string(finding.Kind)]++; told[string(finding.Kind)] > findingsToldPerKind {
			continue
		}
		fmt.Fprintf(&out, "\n%s: #%d %s %s\n  %s\n  %s\n", finding.Kind, finding.Number, finding.Follower, finding.Content, finding.ReasonZh, finding.Reason)
	}

	return out.String()
}

func describeAttempts(attempts map[string]int) string {
	parts := make([]string, 0, len(attempts))
	for _, count := range slices.Sorted(maps.Keys(attempts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", count, attempts[count]))
	}

	return strings.Join(parts, ", ")
}
