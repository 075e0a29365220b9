package menu

import (
	"slices"
	"strings"
)

// Tree draws a menu, one line for each button.
func (m Menu) Tree() string {
	var text strings.Builder
	draw(&text, "default menu", m.Buttons)
	for _, c := range m.Conditional {
		draw(&text, "for "+c.Match.String(), c.Buttons)
	}

	return text.String()
}

func draw(text *strings.Builder, title string, buttons []Button) {
	text.WriteString(title + "\n")
	if len(buttons) == 0 {
		text.WriteString("└─ (none)\n")
	}
	branches(text, "", buttons)
}

func branches(text *strings.Builder, margin string, buttons []Button) {
	for i := range buttons {
		branch, below := "├─ ", "│  "
		if i == len(buttons)-1 {
			branch, below = "└─ ", "   "
		}
		text.WriteString(margin + branch + label(&buttons[i]) + "\n")
		branches(text, margin+below, buttons[i].Buttons)
	}
}

func label(b *Button) string {
	if action := b.action(); action != "" {
		return b.Name + "  " + action
	}

	return b.Name
}

// Diff shows what the plan changes, as diff -u does: what goes with -, what comes with +, what stays with neither.
// Menus that stay as they are show only their title.
func (p Plan) Diff() string {
	var text strings.Builder
	section(&text, "default menu", p.have.Buttons, p.want.Buttons)
	for _, f := range p.fates {
		switch {
		case f.stays:
			text.WriteString("  for " + f.new.Match.String() + " (unchanged)\n")
		case f.new == nil:
			write(&text, "- ", append([]string{"for " + f.old.Match.String()}, lines(f.old.Buttons, 1)...))
		case f.old == nil:
			write(&text, "+ ", append([]string{"for " + f.new.Match.String()}, lines(f.new.Buttons, 1)...))
		case f.old.says(*f.new):
			text.WriteString("~ for " + f.new.Match.String() + " (added again: the newest comes first)\n")
		default:
			section(&text, "for "+f.new.Match.String(), f.old.Buttons, f.new.Buttons)
		}
	}

	return text.String()
}

func section(text *strings.Builder, title string, have, want []Button) {
	if sameButtons(have, want) {
		text.WriteString("  " + title + " (unchanged)\n")

		return
	}
	text.WriteString("  " + title + "\n")
	diff(text, lines(have, 1), lines(want, 1))
}

// lines are one line for each button, indented by its level.
func lines(buttons []Button, level int) []string {
	list := make([]string, 0, len(buttons))
	for i := range buttons {
		list = append(list, strings.Repeat("  ", level)+label(&buttons[i]))
		list = append(list, lines(buttons[i].Buttons, level+1)...)
	}

	return list
}

func write(text *strings.Builder, mark string, list []string) {
	for _, line := range list {
		text.WriteString(mark + line + "\n")
	}
}

// diff writes the lines of both, with the longest that they have in common once.
func diff(text *strings.Builder, have, want []string) {
	for len(have) > 0 || len(want) > 0 {
		switch {
		case len(have) > 0 && len(want) > 0 && have[0] == want[0]:
			write(text, "  ", have[:1])
			have, want = have[1:], want[1:]
		case len(have) > 0 && (len(want) == 0 || common(have[1:], want) >= common(have, want[1:])):
			write(text, "- ", have[:1])
			have = have[1:]
		default:
			write(text, "+ ", want[:1])
			want = want[1:]
		}
	}
}

// common is how many lines two lists have in common, in order. Menus are short.
func common(a, b []string) int {
	row := make([]int, len(b)+1)
	for _, line := range slices.Backward(a) {
		diagonal := 0
		for j := len(b) - 1; j >= 0; j-- {
			above := row[j]
			if line == b[j] {
				row[j] = diagonal + 1
			} else {
				row[j] = max(row[j], row[j+1])
			}
			diagonal = above
		}
	}

	return row[0]
}
