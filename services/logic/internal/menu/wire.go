package menu

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// keyGroupID is how answers call tag_id, from the time when tags were groups (分组).
const keyGroupID = "group_id"

// parse reads the answer of /cgi-bin/menu/get.
func parse(body []byte) (Menu, error) {
	type menu struct {
		Buttons []Button       `json:"button"`
		Match   map[string]any `json:"matchrule"`
		ID      any            `json:"menuid"`
	}
	var answer struct {
		Menu        menu   `json:"menu"`
		Conditional []menu `json:"conditionalmenu"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return Menu{}, fmt.Errorf("WeChat's answer to /cgi-bin/menu/get is no menu: %w", err)
	}
	m := Menu{Buttons: tidy(answer.Menu.Buttons)}
	for _, c := range answer.Conditional {
		m.Conditional = append(m.Conditional, Conditional{ID: plain(c.ID), Match: matchOf(c.Match), Buttons: tidy(c.Buttons)})
	}
	// The newest is asked first. That a newer one has the greater menuid, and that the answer's order means
	// nothing, is observed and nowhere promised; it matters only for menus that one follower can match.
	slices.SortStableFunc(m.Conditional, func(a, b Conditional) int { return cmp.Compare(number(b.ID), number(a.ID)) })

	return m, nil
}

// tidy makes buttons comparable with those of a file: WeChat writes an empty list below each.
func tidy(buttons []Button) []Button {
	for i := range buttons {
		if buttons[i].Buttons = tidy(buttons[i].Buttons); len(buttons[i].Buttons) == 0 {
			buttons[i].Buttons = nil
		}
	}

	return buttons
}

func matchOf(rule map[string]any) Match {
	m := Match{}
	for key, value := range rule {
		text := plain(value)
		if key == keyGroupID {
			key = keyTagID
		}
		if text != "" && text != "0" { // neither is a condition.
			m[key] = text
		}
	}

	return m
}

// plain is a number or a text of WeChat's as text: it writes the same value now as one, now as the other.
func plain(value any) string {
	if value == nil {
		return ""
	}

	return fmt.Sprint(value)
}

func number(id string) int {
	n, _ := strconv.Atoi(id) // ids that are no numbers keep the order of the answer.

	return n
}
