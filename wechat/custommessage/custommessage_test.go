package custommessage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/custommessage"
	"github.com/wxstack/wxstack/wechat/message"
)

// TestMarshal holds the bodies of the platform's own page.
func TestMarshal(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		reply message.Reply
		agent string
		want  string
	}{
		"text": {
			reply: message.TextReply{Content: "Hello"},
			want:  `{"touser":"OPENID","msgtype":"text","text":{"content":"Hello"}}`,
		},
		"real characters": {
			reply: message.TextReply{Content: "第一行\n<a href=\"https://example.com/?a=1&b=2\">链接</a> 😀"},
			want:  `{"touser":"OPENID","msgtype":"text","text":{"content":"第一行\n<a href=\"https://example.com/?a=1&b=2\">链接</a> 😀"}}`,
		},
		"separators": {
			reply: message.TextReply{Content: "a\u2028b\u2029c\\u2028\\\\"},
			want:  "{\"touser\":\"OPENID\",\"msgtype\":\"text\",\"text\":{\"content\":\"a\u2028b\u2029c\\\\u2028\\\\\\\\\"}}",
		},
		"from an agent": {
			reply: message.TextReply{Content: "Hello"},
			agent: "test1@kftest",
			want:  `{"touser":"OPENID","msgtype":"text","text":{"content":"Hello"},"customservice":{"kf_account":"test1@kftest"}}`,
		},
		"control characters": {
			reply: message.TextReply{Content: "He\x0bllo\xff"},
			want:  `{"touser":"OPENID","msgtype":"text","text":{"content":"Hello"}}`,
		},
		"image": {
			reply: message.ImageReply{MediaID: "MEDIA_ID"},
			want:  `{"touser":"OPENID","msgtype":"image","image":{"media_id":"MEDIA_ID"}}`,
		},
		"voice": {
			reply: message.VoiceReply{MediaID: "MEDIA_ID"},
			want:  `{"touser":"OPENID","msgtype":"voice","voice":{"media_id":"MEDIA_ID"}}`,
		},
		"video": {
			reply: message.VideoReply{MediaID: "MEDIA_ID", Title: "T", Description: "D"},
			want:  `{"touser":"OPENID","msgtype":"video","video":{"media_id":"MEDIA_ID","title":"T","description":"D"}}`,
		},
		"music": {
			reply: message.MusicReply{Title: "T", Description: "D", MusicURL: "URL", HQMusicURL: "URL", ThumbMediaID: "MEDIA_ID"},
			want:  `{"touser":"OPENID","msgtype":"music","music":{"title":"T","description":"D","musicurl":"URL","hqmusicurl":"URL","thumb_media_id":"MEDIA_ID"}}`,
		},
		"news": {
			reply: message.NewsReply{Articles: []message.Article{{Title: "T", Description: "D", URL: "URL", PicURL: "PIC"}}},
			want:  `{"touser":"OPENID","msgtype":"news","news":{"articles":[{"title":"T","description":"D","url":"URL","picurl":"PIC"}]}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := custommessage.Marshal("OPENID", test.reply, test.agent)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("Marshal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()

	text := message.TextReply{Content: "a"}
	tests := map[string]struct {
		toUser string
		reply  message.Reply
		want   error
		part   string
	}{
		"nobody":       {"", text, message.ErrInvalidReply, "touser"},
		"no OpenID":    {"o\xff", text, message.ErrInvalidReply, "touser"},
		"nothing":      {"o1", nil, custommessage.ErrUnsupported, "no reply"},
		"transfer":     {"o1", message.TransferCustomerService{}, custommessage.ErrUnsupported, "TransferCustomerService"},
		"to the AI":    {"o1", message.TransferBizAIIVR{}, custommessage.ErrUnsupported, "TransferBizAIIVR"},
		"pointer":      {"o1", &text, message.ErrInvalidReply, "by value"},
		"empty text":   {"o1", message.TextReply{}, message.ErrInvalidReply, "Content"},
		"long text":    {"o1", message.TextReply{Content: strings.Repeat("a", 2049)}, message.ErrInvalidReply, "2048"},
		"no articles":  {"o1", message.NewsReply{}, message.ErrInvalidReply, "Articles"},
		"two articles": {"o1", message.NewsReply{Articles: make([]message.Article, 2)}, message.ErrInvalidReply, "at most 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := custommessage.Marshal(test.toUser, test.reply, "")
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.part) || body != nil {
				t.Errorf("Marshal = %q, %v, want error %v with %q", body, err, test.want, test.part)
			}
		})
	}
}
