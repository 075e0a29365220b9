package custommessage_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/wechat/custommessage"
)

// TestMarshalContent holds the bodies of the platform's own page.
func TestMarshalContent(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		content custommessage.Content
		agent   string
		want    string
	}{
		"mpnews": {
			content: custommessage.MpNews{MediaID: "MEDIA_ID"},
			want:    `{"touser":"OPENID","msgtype":"mpnews","mpnews":{"media_id":"MEDIA_ID"}}`,
		},
		"mpnewsarticle": {
			content: custommessage.MpNewsArticle{ArticleID: "ARTICLE_ID"},
			want:    `{"touser":"OPENID","msgtype":"mpnewsarticle","mpnewsarticle":{"article_id":"ARTICLE_ID"}}`,
		},
		"msgmenu": {
			content: custommessage.Menu{
				Head:    "满意吗？",
				Choices: []custommessage.Choice{{ID: "101", Content: "满意"}, {ID: "102", Content: "不满意"}},
				Tail:    "欢迎再来",
			},
			want: `{"touser":"OPENID","msgtype":"msgmenu","msgmenu":{"head_content":"满意吗？","list":[{"id":"101","content":"满意"},{"id":"102","content":"不满意"}],"tail_content":"欢迎再来"}}`,
		},
		"wxcard": {
			content: custommessage.Card{CardID: "CARD_ID"},
			want:    `{"touser":"OPENID","msgtype":"wxcard","wxcard":{"card_id":"CARD_ID"}}`,
		},
		"miniprogrampage": {
			content: custommessage.MiniProgramPage{Title: "T", AppID: "APPID", PagePath: "pages/index", ThumbMediaID: "MEDIA_ID"},
			want:    `{"touser":"OPENID","msgtype":"miniprogrampage","miniprogrampage":{"title":"T","appid":"APPID","pagepath":"pages/index","thumb_media_id":"MEDIA_ID"}}`,
		},
		"link": {
			content: custommessage.Link{Title: "T", Description: "D", URL: "URL", ThumbURL: "PIC"},
			want:    `{"touser":"OPENID","msgtype":"link","link":{"title":"T","description":"D","url":"URL","thumb_url":"PIC"}}`,
		},
		"video": {
			content: custommessage.Video{MediaID: "MEDIA_ID", ThumbMediaID: "MEDIA_ID", Title: "T", Description: "D"},
			want:    `{"touser":"OPENID","msgtype":"video","video":{"media_id":"MEDIA_ID","thumb_media_id":"MEDIA_ID","title":"T","description":"D"}}`,
		},
		"from an agent": {
			content: custommessage.Card{CardID: "C"},
			agent:   "test1@kftest",
			want:    `{"touser":"OPENID","msgtype":"wxcard","wxcard":{"card_id":"C"},"customservice":{"kf_account":"test1@kftest"}}`,
		},
		"texts are cleaned": {
			content: custommessage.Link{Title: "T\x00<&>\u2028", Description: "\xffD", URL: "https://example.com/?a=1&b=<2>"},
			want:    `{"touser":"OPENID","msgtype":"link","link":{"title":"T<&>` + "\u2028" + `","description":"D","url":"https://example.com/?a=1&b=<2>","thumb_url":""}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := custommessage.MarshalContent("OPENID", test.content, test.agent)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("MarshalContent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMarshalContentRefuses(t *testing.T) {
	t.Parallel()

	choice := custommessage.Choice{ID: "1", Content: "a"}
	tests := map[string]struct {
		toUser  string
		agent   string
		content custommessage.Content
		field   string
	}{
		"nobody":          {"", "", custommessage.Card{CardID: "C"}, "touser"},
		"broken OpenID":   {"o\x01", "", custommessage.Card{CardID: "C"}, "touser"},
		"broken agent":    {"o1", "a\xff", custommessage.Card{CardID: "C"}, "customservice.kf_account"},
		"nothing":         {"o1", "", nil, "no content"},
		"mpnews":          {"o1", "", custommessage.MpNews{}, "mpnews.media_id"},
		"mpnews id":       {"o1", "", custommessage.MpNews{MediaID: "a\x00"}, "mpnews.media_id"},
		"mpnewsarticle":   {"o1", "", custommessage.MpNewsArticle{ArticleID: " "}, "mpnewsarticle.article_id"},
		"no choice":       {"o1", "", custommessage.Menu{Head: "a"}, "msgmenu.list"},
		"choice id":       {"o1", "", custommessage.Menu{Choices: []custommessage.Choice{choice, {Content: "b"}}}, "msgmenu.list[1].id"},
		"choice content":  {"o1", "", custommessage.Menu{Choices: []custommessage.Choice{{ID: "1", Content: "\x00"}}}, "msgmenu.list[0].content"},
		"same choice":     {"o1", "", custommessage.Menu{Choices: []custommessage.Choice{choice, choice}}, "msgmenu.list[1].id is that of another"},
		"wxcard":          {"o1", "", custommessage.Card{}, "wxcard.card_id"},
		"page appid":      {"o1", "", custommessage.MiniProgramPage{PagePath: "p", ThumbMediaID: "m"}, "miniprogrampage.appid"},
		"page path":       {"o1", "", custommessage.MiniProgramPage{AppID: "a", ThumbMediaID: "m"}, "miniprogrampage.pagepath"},
		"page thumb":      {"o1", "", custommessage.MiniProgramPage{AppID: "a", PagePath: "p"}, "miniprogrampage.thumb_media_id"},
		"link title":      {"o1", "", custommessage.Link{URL: "u"}, "link.title"},
		"link url":        {"o1", "", custommessage.Link{Title: "t"}, "link.url"},
		"link thumb":      {"o1", "", custommessage.Link{Title: "t", URL: "u", ThumbURL: "\x02"}, "link.thumb_url"},
		"video":           {"o1", "", custommessage.Video{ThumbMediaID: "m"}, "video.media_id"},
		"video's cover":   {"o1", "", custommessage.Video{MediaID: "m"}, "video.thumb_media_id"},
		"all are told, 1": {"", "", custommessage.Video{}, "touser"},
		"all are told, 2": {"", "", custommessage.Video{}, "video.thumb_media_id"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := custommessage.MarshalContent(test.toUser, test.content, test.agent)
			if !errors.Is(err, custommessage.ErrInvalid) || !strings.Contains(err.Error(), test.field) || body != nil {
				t.Errorf("MarshalContent = %q, %v, want ErrInvalid with %q", body, err, test.field)
			}
		})
	}
}

// FuzzMarshalContent: what is accepted is JSON without escapes of characters that
// could stand for themselves.
func FuzzMarshalContent(f *testing.F) {
	f.Add("满意吗？", "101", "\u2028")
	f.Add("\\u2028\x00", "\xff", `\`)
	f.Fuzz(func(t *testing.T, text, id, url string) {
		for _, content := range []custommessage.Content{
			custommessage.Menu{Head: text, Choices: []custommessage.Choice{{ID: id, Content: text}}},
			custommessage.Link{Title: text, URL: url},
		} {
			body, err := custommessage.MarshalContent("o1", content, "")
			if err != nil {
				if !errors.Is(err, custommessage.ErrInvalid) {
					t.Errorf("error %v does not wrap ErrInvalid", err)
				}

				continue
			}
			if !json.Valid(body) {
				t.Fatalf("%q is no JSON", body)
			}
			if escapes := strings.ReplaceAll(string(body), `\\`, ""); strings.Contains(escapes, `\u`) {
				t.Errorf("escapes in %q", body)
			}
		}
	})
}
