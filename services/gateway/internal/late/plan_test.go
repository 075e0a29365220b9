package late

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"
	"github.com/wxstack/wxstack/wechat/account"
	"github.com/wxstack/wxstack/wechat/errcode"
	"github.com/wxstack/wxstack/wechat/message"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	says := func(code errcode.Code) *apiproxyv1.CallResponse {
		return &apiproxyv1.CallResponse{Errcode: int32(code)}
	}
	type want struct {
		Outcome outcome
		Again   bool
		After   time.Duration
	}
	tests := map[string]struct {
		answer            *apiproxyv1.CallResponse
		err               error
		attempts, unknown int
		want              want
	}{
		"sent":                     {says(errcode.Success), nil, 0, 0, want{outcomeSent, false, 0}},
		"busy":                     {says(errcode.SystemBusy), nil, 0, 0, want{outcomeRefused, true, firstPause}},
		"busy, fourth attempt":     {says(errcode.SystemBusy), nil, 3, 0, want{outcomeRefused, true, 8 * firstPause}},
		"busy, hundredth attempt":  {says(errcode.SystemBusy), nil, 99, 0, want{outcomeRefused, true, maxPause}},
		"token just replaced":      {says(errcode.InvalidCredential), nil, 0, 0, want{outcomeRefused, true, firstPause}},
		"window closed":            {says(errcode.ReplyWindowClosed), nil, 0, 0, want{outcomeRefused, false, 0}},
		"allowance spent":          {says(errcode.ReplyAllowanceSpent), nil, 0, 0, want{outcomeRefused, false, 0}},
		"no right":                 {says(errcode.APIUnauthorized), nil, 0, 0, want{outcomeRefused, false, 0}},
		"quota spent":              {says(errcode.DailyQuotaSpent), nil, 0, 0, want{outcomeRefused, false, 0}},
		"a code of tomorrow's":     {says(99999), nil, 0, 0, want{outcomeRefused, false, 0}},
		"proxy away":               {nil, fault.New(fault.Unavailable, "away"), 0, 0, want{outcomeFailed, true, firstPause}},
		"proxy says when":          {nil, fault.New(fault.Throttled, "slow down").WithRetryAfter(7 * time.Second), 0, 0, want{outcomeFailed, true, 7 * time.Second}},
		"the proxy is still at it": {nil, fault.New(fault.Deadline, "ask again").WithRetryAfter(time.Second), 5, 2, want{outcomeFailed, true, time.Second}},
		"nobody knows":             {nil, fault.New(fault.Deadline, "no answer"), 0, 0, want{outcomeUnknown, true, firstPause}},
		"nobody knows, third time": {nil, fault.New(fault.Deadline, "no answer"), 2, 2, want{outcomeUnknown, false, 4 * firstPause}},
		"secret rejected":          {nil, fault.New(fault.Precondition, "AppSecret"), 0, 0, want{outcomeFailed, false, 0}},
		"our own fault":            {nil, errors.New("boom"), 0, 0, want{outcomeFailed, false, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := judge(tt.answer, tt.err, tt.attempts, tt.unknown)
			if diff := cmp.Diff(tt.want, want{got.outcome, got.again, got.after}); diff != "" {
				t.Error(diff)
			}
			if (got.reason == nil) != (got.outcome == outcomeSent) {
				t.Errorf("reason %v", got.reason)
			}
		})
	}
}

func TestARefusalNamesTheRemedy(t *testing.T) {
	t.Parallel()
	got := judge(&apiproxyv1.CallResponse{Errcode: int32(errcode.APIUnauthorized), Errmsg: "api unauthorized"}, nil, 0, 0)
	if text := got.reason.Error(); !strings.Contains(text, "48001") || !strings.Contains(text, "接口权限") {
		t.Error(text)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	text := func(n int) message.Reply { return message.TextReply{Content: strings.Repeat("字", n)} }
	tests := map[string]struct {
		reply  message.Reply
		policy account.LateAnswerPolicy
		pieces int
	}{
		"a picture":                    {message.ImageReply{MediaID: "m"}, account.LateAnswerPickup, 1},
		"a short text":                 {text(682), account.LateAnswerCustomerService, 1},
		"a long text":                  {text(683), account.LateAnswerCustomerService, 2},
		"a long text, nothing follows": {text(683), account.LateAnswerDrop, 1},
		"a long text to pick up":       {text(1363), account.LateAnswerPickup, 3},
		"more than WeChat allows":      {text(100000), account.LateAnswerCustomerService, 1 + maxParts},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passive, rest := Split(tt.reply, tt.policy)
			if len(rest) != tt.pieces-1 {
				t.Errorf("%d pieces, want %d", 1+len(rest), tt.pieces)
			}
			in := message.Message{MsgType: message.TypeText, FromUserName: "o1", ToUserName: "gh_1"}
			if _, err := message.Render(passive, in, 0); err != nil {
				t.Error(err)
			}
			if _, err := Encode(rest, in, tt.policy, time.Unix(0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAnAnswerToAnEventIsPickedUpByAText is about the number of articles, which WeChat allows eight of to an
// event and one of to a text.
func TestAnAnswerToAnEventIsPickedUpByAText(t *testing.T) {
	t.Parallel()
	in := message.Message{MsgType: message.TypeEvent, Event: &message.Event{Name: "CLICK"}, FromUserName: "o1", ToUserName: "gh_1"}
	article := message.Article{Title: "t"}
	if _, err := Encode([]message.Reply{message.NewsReply{Articles: []message.Article{article}}}, in, account.LateAnswerPickup, time.Unix(0, 0)); err != nil {
		t.Error(err)
	}
	two := message.NewsReply{Articles: []message.Article{article, article}}
	if _, err := Encode([]message.Reply{two}, in, account.LateAnswerPickup, time.Unix(0, 0)); !errors.Is(err, message.ErrInvalidReply) {
		t.Errorf("error %v, want ErrInvalidReply", err)
	}
}
