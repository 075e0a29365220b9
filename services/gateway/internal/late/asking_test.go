package late

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/wxstack/wxstack/wechat/message"
)

// beginner answers at once in Begin or, as again says, only in Reply.
type beginner struct{ again bool }

func (b beginner) Reply(context.Context, string, message.Message, time.Time, time.Time) (message.Reply, string, error) {
	return nil, "reply", nil
}

func (b beginner) Begin(
	_ string, _ message.Message, _, _, _ time.Time, done func(message.Reply, string, bool, error),
) func() {
	done(nil, "begin", b.again, nil)
	return func() {}
}

func TestObserversAreToldOnce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		replier beginner
		again   bool
		want    []string
	}{
		"begun":                   {beginner{}, false, []string{"asked", "answered by begin"}},
		"begun and asked again":   {beginner{again: true}, false, []string{"asked", "answered by reply"}},
		"asked before, by others": {beginner{}, true, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told []string
			asker := NewAsker(tt.replier, slog.New(slog.DiscardHandler), Observer{
				Asked: func(Question) { told = append(told, "asked") },
			}, Observer{
				Answered: func(_ Question, answer Answer) { told = append(told, "answered by "+answer.Rule) },
			})
			asking := asker.Ask(t.Context(), Question{Until: time.Now().Add(time.Minute), Again: tt.again})
			<-asking.Done()
			asker.Wait()
			asking.Cancel()
			if !slices.Equal(told, tt.want) {
				t.Errorf("told %q, want %q", told, tt.want)
			}
		})
	}
}
