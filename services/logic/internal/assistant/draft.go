package assistant

import (
	"strings"
	"unicode"
)

// The tags around what some models think (思考过程) before they answer.
const (
	thinks  = "<think>"
	thought = "</think>"
)

// draft is the answer as far as it has come, without the thoughts that it may begin with.
type draft struct {
	text string
	// begun says that it is known whether the text begins with thoughts; thinking, that they have not ended.
	begun, thinking bool
}

func (d *draft) add(delta string) {
	d.text += delta
	if !d.begun {
		beginning := strings.TrimLeftFunc(d.text, unicode.IsSpace)
		if len(beginning) < len(thinks) && strings.HasPrefix(thinks, beginning) {
			return
		}
		d.begun, d.thinking = true, strings.HasPrefix(beginning, thinks)
	}
	if !d.thinking {
		return
	}
	_, answer, over := strings.Cut(d.text, thought)
	if over {
		d.text, d.thinking = answer, false
	} else {
		// Of thoughts only as much is kept as may be half of their end.
		d.text = d.text[max(0, len(d.text)-len(thought)+1):]
	}
}

// answer is what the follower may see of it.
func (d *draft) answer() string {
	if d.thinking {
		return ""
	}

	return strings.TrimSpace(d.text)
}
