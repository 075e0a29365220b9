package menu

import (
	"maps"
	"reflect"
	"slices"
)

// Plan is how to make the menu that an account has the one that it should have.
type Plan struct {
	have, want Menu
	// fates tells what becomes of each conditional menu: first those that should be there, in that order, then
	// those that go.
	fates []fate
}

// fate is what becomes of a conditional menu.
type fate struct {
	// old is the one that is there and goes or stays, new the one that should be there; either may be missing.
	old, new *Conditional
	// stays says that old is new and is left alone.
	stays bool
}

// Compare makes the plan for a menu that an account has and one that it should have.
func Compare(have, want Menu) Plan {
	p := Plan{have: have, want: want}
	kept := keep(have.Conditional, want.Conditional)
	gone := make([]*Conditional, 0, len(have.Conditional))
	for i := range have.Conditional {
		if !slices.Contains(kept, i) {
			gone = append(gone, &have.Conditional[i])
		}
	}
	for i := range want.Conditional {
		f := fate{new: &want.Conditional[i], stays: kept[i] >= 0}
		if f.stays {
			f.old = &have.Conditional[kept[i]]
		} else if same := slices.IndexFunc(gone, func(g *Conditional) bool { return maps.Equal(g.Match, f.new.Match) }); same >= 0 {
			f.old = gone[same]
			gone = slices.Delete(gone, same, same+1)
		}
		p.fates = append(p.fates, f)
	}
	for _, old := range gone {
		p.fates = append(p.fates, fate{old: old})
	}

	return p
}

// keep finds for each wanted conditional menu the one of those there that can stay for it, by index; -1: none, it
// must be added. WeChat edits none and asks the newest first, so what is added comes before all that stay.
func keep(have, want []Conditional) []int {
	kept := slices.Repeat([]int{-1}, len(want))
	for i, wanted := range slices.Backward(want) {
		for h, there := range slices.Backward(have) {
			if there.says(wanted) && !slices.Contains(kept, h) && comesFirst(h, wanted.Match, want[i+1:], kept[i+1:]) {
				kept[i] = h

				break
			}
		}
	}

	return kept
}

// comesFirst reports whether the menu at h, if it stays, comes before all the later ones, which stay at kept or are
// added, as far as a follower can match both.
func comesFirst(h int, match Match, later []Conditional, kept []int) bool {
	for j, other := range later {
		if kept[j] <= h && match.overlaps(other.Match) {
			return false
		}
	}

	return true
}

// says reports whether a conditional menu shows the same to the same followers.
func (c Conditional) says(other Conditional) bool {
	return maps.Equal(c.Match, other.Match) && sameButtons(c.Buttons, other.Buttons)
}

func sameButtons(a, b []Button) bool {
	return len(a) == len(b) && (len(a) == 0 || reflect.DeepEqual(a, b))
}

// Empty reports whether the account has the menu that it should have.
func (p Plan) Empty() bool { return len(p.Steps()) == 0 }

// DeletesMenu reports whether the account is left without any menu.
func (p Plan) DeletesMenu() bool { return len(p.want.Buttons) == 0 && !p.Empty() }

// Steps are the calls that the plan takes, in an order in which each can be made and followers never see less than
// the default menu: that comes first, because without it WeChat takes no conditional ones.
func (p Plan) Steps() []Step {
	if len(p.want.Buttons) == 0 {
		if len(p.have.Buttons) == 0 && len(p.have.Conditional) == 0 {
			return nil
		}

		return []Step{deleteAll()}
	}
	var steps []Step
	if !sameButtons(p.have.Buttons, p.want.Buttons) {
		steps = append(steps, create(p.want.Buttons))
	}
	for _, f := range p.fates {
		if f.old != nil && !f.stays {
			steps = append(steps, deleteConditional(f.old))
		}
	}
	for _, f := range slices.Backward(p.fates) {
		if f.new != nil && !f.stays {
			steps = append(steps, addConditional(f.new))
		}
	}

	return steps
}
