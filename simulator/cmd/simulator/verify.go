package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/wxstack/wxstack/simulator"
)

// verifyCommand finds out why a server isn't accepted.
type verifyCommand struct {
	target

	GetOnly bool     `help:"Ask for the URL verification only: nothing happens at the server."`
	Modes   []string `help:"Modes in which a text is pushed; the account's own unless given." placeholder:"plain,safe" enum:"plain,compatible,safe"`
	JSON    bool     `name:"json" help:"Print the findings as JSON."`
}

// Run examines and prints a checklist. The exit code is 1 if there is a problem.
func (c *verifyCommand) Run(ctx context.Context, streams streams) error {
	return c.with(ctx, func(ctx context.Context, platform *simulator.Platform) error {
		found, err := c.examine(ctx, platform)
		if err != nil {
			return classify(err)
		}
		if c.JSON {
			err = printJSON(streams.out, found)
		} else {
			_, err = fmt.Fprint(streams.out, describeExamination(found))
		}
		if err == nil && !found.OK {
			err = errNotRight
		}

		return err
	})
}

func (c *verifyCommand) examine(ctx context.Context, platform *simulator.Platform) (simulator.Examination, error) {
	if c.GetOnly {
		return platform.ExamineURL(ctx, c.AppID)
	}
	var modes []simulator.Mode
	for _, mode := range c.Modes {
		modes = append(modes, simulator.Mode(mode))
	}

	return platform.Examine(ctx, c.AppID, modes...)
}

// describeExamination is a checklist for people.
func describeExamination(found simulator.Examination) string {
	marks := map[string]string{"ok": "✓", "note": "!", "problem": "✗"}
	var out strings.Builder
	for _, finding := range found.Findings {
		fmt.Fprintf(&out, "%s %s\n  %s\n", marks[string(finding.Severity)], finding.Text, finding.TextEn)
		if finding.Remedy != "" {
			fmt.Fprintf(&out, "  → %s\n  → %s\n", finding.Remedy, finding.RemedyEn)
		}
	}
	if found.OK {
		fmt.Fprintln(&out, "\n没有发现问题 (no problem found)")
	} else {
		fmt.Fprintln(&out, "\n有问题 (there are problems): see ✗")
	}

	return out.String()
}
