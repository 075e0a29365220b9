package message_test

import (
	"testing"

	"github.com/wxstack/wxstack/wechat/message"
)

func TestAnswerable(t *testing.T) {
	t.Parallel()
	event := func(name string) message.Message {
		return message.Message{MsgType: message.TypeEvent, Event: &message.Event{Name: name}}
	}
	tests := map[string]struct {
		in   message.Message
		want bool
	}{
		"text":                  {message.Message{MsgType: message.TypeText, Text: &message.Text{}}, true},
		"a type of tomorrow's":  {message.Message{MsgType: "hologram"}, true},
		"notice":                {message.Message{Notice: &message.Notice{InfoType: "authorized"}}, false},
		"subscribe":             {event("subscribe"), true},
		"old lower-case scan":   {event("scan"), true},
		"CLICK":                 {event("CLICK"), true},
		"scancode_waitmsg":      {event("scancode_waitmsg"), true},
		"unsubscribe":           {event("unsubscribe"), false},
		"LOCATION":              {event("LOCATION"), false},
		"VIEW":                  {event("VIEW"), false},
		"view_miniprogram":      {event("view_miniprogram"), false},
		"TEMPLATESENDJOBFINISH": {event("TEMPLATESENDJOBFINISH"), false},
		"user_get_card":         {event("user_get_card"), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.in.Answerable(); got != tt.want {
				t.Errorf("Answerable() = %v, want %v", got, tt.want)
			}
		})
	}
}
