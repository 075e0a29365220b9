package message_test

import (
	"strings"
	"testing"

	"github.com/wxstack/wxstack/wechat/message"
)

func TestKey(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		message message.Message
		want    string
	}{
		"message": {
			message.Message{FromUserName: "o1", CreateTime: 5, MsgType: "text", MsgID: 6272960105994287618},
			"m6272960105994287618",
		},
		"event": {
			message.Message{FromUserName: "o1", CreateTime: 5, MsgType: "event", Event: &message.Event{Name: "CLICK", Key: "k"}},
			"e2:o1,1:5,5:CLICK,1:k,0:,",
		},
		"job-finish event": {
			message.Message{
				FromUserName: "mphelper", CreateTime: 5, MsgType: "event", Event: &message.Event{Name: "MASSSENDJOBFINISH"},
				Fields: []message.Field{{Name: "MsgID", Value: "42"}},
			},
			"e8:mphelper,1:5,17:MASSSENDJOBFINISH,0:,2:42,",
		},
		"the same, typed": {
			message.Message{
				FromUserName: "mphelper", CreateTime: 5, MsgType: "event",
				Event: &message.Event{Name: "MASSSENDJOBFINISH", SendJob: &message.SendJob{MsgID: 42}},
			},
			"e8:mphelper,1:5,17:MASSSENDJOBFINISH,0:,2:42,",
		},
		"publication": {
			message.Message{
				FromUserName: "mphelper", CreateTime: 5, MsgType: "event",
				Event: &message.Event{Name: "PUBLISHJOBFINISH", PublishJob: &message.PublishJob{PublishID: "7"}},
			},
			"e8:mphelper,1:5,16:PUBLISHJOBFINISH,0:,1:7,",
		},
		"subscription message": {
			message.Message{
				FromUserName: "o1", CreateTime: 5, MsgType: "event",
				Event: &message.Event{Name: "subscribe_msg_sent_event", Subscriptions: []message.Subscription{{MsgID: 9}}},
			},
			"e2:o1,1:5,24:subscribe_msg_sent_event,0:,1:9,",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.message.Key(); got != test.want {
				t.Errorf("Key() = %q, want %q", got, test.want)
			}
		})
	}
}

// TestKeyTellsApart gives messages that differ in one respect each; a key that
// two of them shared would cost a follower an answer.
func TestKeyTellsApart(t *testing.T) {
	t.Parallel()

	event := func(from string, at int64, name, key string) message.Message {
		return message.Message{
			FromUserName: from, CreateTime: at, MsgType: "event", Event: &message.Event{Name: name, Key: key},
		}
	}
	long := strings.Repeat("x", 1000)
	messages := map[string]message.Message{
		"event":                     event("o1", 5, "CLICK", "k"),
		"other sender":              event("o2", 5, "CLICK", "k"),
		"other time":                event("o1", 6, "CLICK", "k"),
		"other event":               event("o1", 5, "VIEW", "k"),
		"other key":                 event("o1", 5, "CLICK", "l"),
		"boundary moved":            event("o1", 5, "CLIC", "Kk"),
		"separator in a part":       event("o1,1:5", 5, "CLICK", "k"),
		"separator in another part": event("o1", 5, "CLICK,1:k", "k"),
		"long key":                  event("o1", 5, "VIEW", long),
		"longer key":                event("o1", 5, "VIEW", long+"x"),
		"message":                   {FromUserName: "o1", CreateTime: 5, MsgType: "text", MsgID: 1},
		"other message":             {FromUserName: "o1", CreateTime: 5, MsgType: "text", MsgID: 2},
		"notice":                    {CreateTime: 5, Notice: &message.Notice{AppID: "wx1", InfoType: "authorized", AuthorizerAppID: "wx2"}},
		"notice, other account":     {CreateTime: 5, Notice: &message.Notice{AppID: "wx1", InfoType: "authorized", AuthorizerAppID: "wx3"}},
		"notice, other time":        {CreateTime: 6, Notice: &message.Notice{AppID: "wx1", InfoType: "authorized", AuthorizerAppID: "wx2"}},
		"no id":                     {FromUserName: "o1", CreateTime: 5, MsgType: "device_text"},
		"no id, other content": {
			FromUserName: "o1", CreateTime: 5, MsgType: "device_text",
			Fields: []message.Field{{Name: "Content", Value: "a"}},
		},
	}
	seen := map[string]string{}
	for name, m := range messages {
		key := m.Key()
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q share the key %q", name, other, key)
		}
		seen[key] = name
		if len(key) >= 130 {
			t.Errorf("%q: key of %d bytes", name, len(key))
		}
		if again := m.Key(); again != key {
			t.Errorf("%q: key changed from %q to %q", name, key, again)
		}
	}
}
