package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ParseMix reads kinds of messages with their weights, such as text=8,image=1,event:CLICK:MENU_HELP=1: each the name of a
// type, or event: with the name of an event and its key. The texts say the content. No text is no mix.
func ParseMix(text, content string) ([]Share, error) {
	var mix []Share
	for part := range strings.SplitSeq(text, ",") {
		name, weight, weighted := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		share := Share{Push: pushNamed(name, content), Weight: 1}
		if weighted {
			number, err := strconv.Atoi(strings.TrimSpace(weight))
			if err != nil || number < 1 {
				return nil, fmt.Errorf("%w: mix: weight %q of %s must be a positive number", ErrInvalid, weight, name)
			}
			share.Weight = number
		}
		mix = append(mix, share)
	}

	return mix, nil
}

// pushNamed is the push of a type, or of an event with its key.
func pushNamed(name, content string) Push {
	event, isEvent := strings.CutPrefix(name, "event:")
	if !isEvent {
		push := Push{Type: Type(name)}
		if push.Type == TypeText {
			push.Content = content
		}

		return push
	}
	event, key, keyed := strings.Cut(event, ":")
	if !keyed && slices.Contains([]string{EventClick, EventScan, EventView}, event) {
		key = "KEY"
	}

	return Push{Type: TypeEvent, Event: event, EventKey: key}
}

// mixRequest is the mix of a load in JSON: as a text, or share by share.
type mixRequest struct {
	text   string
	shares []shareRequest
}

type shareRequest struct {
	pushRequest

	Weight int         `json:"weight"`
	Expect Expectation `json:"expect"`
}

// UnmarshalJSON reads either form.
func (m *mixRequest) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		return json.Unmarshal(data, &m.text)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()

	return decoder.Decode(&m.shares)
}

// mix is what the request asks for; its texts say the content.
func (m *mixRequest) mix(content string) ([]Share, error) {
	mix, err := ParseMix(m.text, content)
	for _, share := range m.shares {
		mix = append(mix, Share{Push: share.push(), Weight: share.Weight, Expect: share.Expect})
	}

	return mix, err
}
