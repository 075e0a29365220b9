package custommessage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/message"
)

func TestTriggerOf(t *testing.T) {
	t.Parallel()

	event := func(name string) message.Message {
		return message.Message{FromUserName: "o1", MsgType: message.TypeEvent, Event: &message.Event{Name: name}}
	}
	tests := map[string]struct {
		in   message.Message
		want custommessage.Trigger
	}{
		"text":               {message.Message{FromUserName: "o1", MsgType: "text", MsgID: 1, Text: &message.Text{Content: "a"}}, custommessage.Wrote},
		"a type of tomorrow": {message.Message{FromUserName: "o1", MsgType: "smell", MsgID: 1}, custommessage.Wrote},
		"tap on a choice":    {message.Message{FromUserName: "o1", MsgType: "text", MsgID: 1, Text: &message.Text{MenuEntryID: "101"}}, custommessage.Acted},
		"click":              {event("CLICK"), custommessage.Acted},
		"lower case":         {event("click"), custommessage.Acted},
		"scan by menu":       {event("scancode_push"), custommessage.Acted},
		"scan and wait":      {event("scancode_waitmsg"), custommessage.Acted},
		"follow":             {event("subscribe"), custommessage.Acted},
		"QR code":            {event("SCAN"), custommessage.Acted},
		"unfollow":           {event("unsubscribe"), custommessage.Unfollowed},
		"link of the menu":   {event("VIEW"), custommessage.NoTrigger},
		"photo of the menu":  {event("pic_sysphoto"), custommessage.NoTrigger},
		"position":           {event("LOCATION"), custommessage.NoTrigger},
		"a job's end":        {event("MASSSENDJOBFINISH"), custommessage.NoTrigger},
		"nobody":             {message.Message{MsgID: 1}, custommessage.NoTrigger},
		"no message":         {message.Message{FromUserName: "o1", MsgType: "x"}, custommessage.NoTrigger},
		"notice":             {message.Message{FromUserName: "o1", MsgID: 1, Notice: &message.Notice{}}, custommessage.NoTrigger},
	}
	for name, test := range tests {
		if got := custommessage.TriggerOf(test.in); got != test.want {
			t.Errorf("%s: trigger %d, want %d", name, got, test.want)
		}
	}
}

// step is what happens to a record at a time.
type step struct {
	at   time.Duration
	what string
	// left and until are what the record says afterwards; known is whether it says anything.
	left  int
	until time.Duration
	known bool
}

func TestRecord(t *testing.T) {
	t.Parallel()

	start := time.UnixMilli(1700000000000)
	do := map[string]func(custommessage.Record, time.Time) custommessage.Record{
		"write": func(r custommessage.Record, now time.Time) custommessage.Record {
			return r.Grant(now, custommessage.Wrote)
		},
		"act": func(r custommessage.Record, now time.Time) custommessage.Record {
			return r.Grant(now, custommessage.Acted)
		},
		"unfollow": func(r custommessage.Record, now time.Time) custommessage.Record {
			return r.Grant(now, custommessage.Unfollowed)
		},
		"nothing": func(r custommessage.Record, now time.Time) custommessage.Record {
			return r.Grant(now, custommessage.NoTrigger)
		},
		"send":  custommessage.Record.Spend,
		"45047": func(r custommessage.Record, _ time.Time) custommessage.Record { return r.Close() },
	}
	const days = 24 * time.Hour
	tests := map[string][]step{
		"a message":           {{0, "write", 5, 2 * days, true}, {2*days - 1, "nothing", 5, 2 * days, true}, {2 * days, "nothing", 0, 0, false}},
		"a click":             {{0, "act", 3, time.Minute, true}, {time.Minute - 1, "nothing", 3, time.Minute, true}, {time.Minute, "nothing", 0, 0, false}},
		"five and no more":    {{0, "write", 5, 2 * days, true}, {1, "send", 4, 2 * days, true}, {1, "send", 3, 2 * days, true}, {1, "send", 2, 2 * days, true}, {1, "send", 1, 2 * days, true}, {1, "send", 0, 0, true}, {1, "send", 0, 0, true}},
		"a new one, not more": {{0, "write", 5, 2 * days, true}, {1, "send", 4, 2 * days, true}, {time.Hour, "write", 5, 2*days + time.Hour, true}},
		"the click's first":   {{0, "write", 5, 2 * days, true}, {1, "act", 8, 2 * days, true}, {2, "send", 7, 2 * days, true}, {time.Minute + 1, "nothing", 5, 2 * days, true}},
		"the message's first": {{0, "write", 5, 2 * days, true}, {2*days - time.Second, "act", 8, 2*days + 59*time.Second, true}, {2*days - 1, "send", 7, 2*days + 59*time.Second, true}, {2 * days, "nothing", 3, 2*days + 59*time.Second, true}},
		"when it is used up":  {{0, "act", 3, time.Minute, true}, {1, "write", 8, 2*days + 1, true}, {2, "send", 7, 2*days + 1, true}, {2, "send", 6, 2*days + 1, true}, {2, "send", 5, 2*days + 1, true}, {2, "send", 4, 2*days + 1, true}},
		"nothing to spend":    {{0, "send", 0, 0, false}, {0, "act", 3, time.Minute, true}, {time.Minute, "send", 0, 0, false}},
		"WeChat says no":      {{0, "write", 5, 2 * days, true}, {1, "45047", 0, 0, true}, {2, "act", 3, time.Minute + 2, true}},
		"gone and back":       {{0, "write", 5, 2 * days, true}, {1, "unfollow", 0, 0, true}, {2, "act", 3, time.Minute + 2, true}, {time.Hour, "nothing", 0, 0, true}, {3 * days, "nothing", 0, 0, false}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r custommessage.Record
			for i, s := range steps {
				now := start.Add(s.at)
				r = do[s.what](r, now)
				until := time.Time{}
				if s.until > 0 {
					until = start.Add(s.until)
				}
				if r.Left(now) != s.left || r.Known(now) != s.known || !r.LeftUntil(now).Equal(until) {
					t.Fatalf("step %d, %s: %d left until %v, known %v; want %+v", i, s.what, r.Left(now), r.LeftUntil(now), r.Known(now), s)
				}
			}
		})
	}
}

func TestRecordIsWrittenAsTexts(t *testing.T) {
	t.Parallel()

	now := time.UnixMilli(1700000000000)
	tests := map[string]struct {
		record          custommessage.Record
		message, action string
	}{
		"nothing":  {custommessage.Record{}, "", ""},
		"message":  {custommessage.Record{}.Grant(now, custommessage.Wrote), "5 1700172800000", ""},
		"action":   {custommessage.Record{}.Grant(now, custommessage.Acted), "", "3 1700000060000"},
		"unfollow": {custommessage.Record{}.Grant(now, custommessage.Unfollowed), "0 1700172800000", "0 1700000060000"},
	}
	for name, test := range tests {
		message, action := test.record.Message.Text(), test.record.Action.Text()
		if message != test.message || action != test.action {
			t.Errorf("%s: %q and %q, want %q and %q", name, message, action, test.message, test.action)
		}
		back, err := custommessage.ParseRecord(message, action)
		if diff := cmp.Diff(test.record, back); diff != "" || err != nil {
			t.Errorf("%s: read back %v (-want +got):\n%s", name, err, diff)
		}
	}
	want := custommessage.Keys{Message: "wx:{wx1}:allowance:o1", Action: "wx:{wx1}:allowance:o1:action"}
	if got := custommessage.KeysOf("wx1", "o1"); got != want {
		t.Errorf("keys %+v, want %+v", got, want)
	}
}

func TestParseRecordRefuses(t *testing.T) {
	t.Parallel()

	for _, text := range []string{"5", "5 ", " 5", "-1 1700000000000", "5 -1", "5 1 1", "five 1", "70000 1", "5 99999999999999999999"} {
		if r, err := custommessage.ParseRecord("5 1", text); err == nil || r != (custommessage.Record{}) {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}

// FuzzParseRecord: what is read, is written as it was read.
func FuzzParseRecord(f *testing.F) {
	f.Add("5 1700000000000")
	f.Add("0 0")
	f.Add("+5 01")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := custommessage.ParseRecord(text, "")
		if err != nil {
			return
		}
		again, err := custommessage.ParseRecord(r.Message.Text(), "")
		if err != nil || !again.Message.End.Equal(r.Message.End) || again.Message.Left != r.Message.Left {
			t.Errorf("%q became %+v and then %+v, %v", text, r, again, err)
		}
	})
}
