package menu_test

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/logic/internal/menu"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// everything is a menu file with all that one can say.
const everything = `menu:
  - name: 帮助
    click: MENU_HELP
  - name: 更多
    buttons:
      - {name: 官网, view: "https://example.com/?a=1&b=2"}
      - {name: 扫码, scancode_push: SCAN}
      - {name: 扫码等待, scancode_waitmsg: WAIT}
      - {name: 拍照, pic_sysphoto: PHOTO}
      - {name: 相册, pic_photo_or_album: ALBUM}
  - name: 还有
    buttons:
      - {name: 位置, location_select: HERE}
      - {name: 图片, media_id: MEDIA}
      - {name: 文章, article_id: ARTICLE}
      - {name: 图文, article_view_limited: ARTICLE}
      - {name: 小程序, miniprogram: {appid: wx0123456789abcdef, pagepath: pages/index, url: "https://example.com/"}}
conditional:
  - match: {tag_id: 100, client_platform_type: ios}
    menu:
      - {name: 微信相册, pic_weixin: WEIXIN}
      - {name: 旧图文, view_limited: MEDIA}
`

func parsed() menu.Menu {
	return menu.Menu{
		Buttons: []menu.Button{
			{Name: "帮助", Type: "click", Key: "MENU_HELP"},
			{Name: "更多", Buttons: []menu.Button{
				{Name: "官网", Type: "view", URL: "https://example.com/?a=1&b=2"},
				{Name: "扫码", Type: "scancode_push", Key: "SCAN"},
				{Name: "扫码等待", Type: "scancode_waitmsg", Key: "WAIT"},
				{Name: "拍照", Type: "pic_sysphoto", Key: "PHOTO"},
				{Name: "相册", Type: "pic_photo_or_album", Key: "ALBUM"},
			}},
			{Name: "还有", Buttons: []menu.Button{
				{Name: "位置", Type: "location_select", Key: "HERE"},
				{Name: "图片", Type: "media_id", MediaID: "MEDIA"},
				{Name: "文章", Type: "article_id", ArticleID: "ARTICLE"},
				{Name: "图文", Type: "article_view_limited", ArticleID: "ARTICLE"},
				{Name: "小程序", Type: "miniprogram", AppID: "wx0123456789abcdef", PagePath: "pages/index", URL: "https://example.com/"},
			}},
		},
		Conditional: []menu.Conditional{{
			Match: menu.Match{"tag_id": "100", "client_platform_type": "1"},
			Buttons: []menu.Button{
				{Name: "微信相册", Type: "pic_weixin", Key: "WEIXIN"},
				{Name: "旧图文", Type: "view_limited", MediaID: "MEDIA"},
			},
		}},
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	got, warnings, err := menu.Read("menu.yaml", []byte(everything))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %q", err, warnings)
	}
	if diff := cmp.Diff(parsed(), got); diff != "" {
		t.Error(diff)
	}
}

// TestTheDocumentedFileIsRight reads the file of docs/menu.md.
func TestTheDocumentedFileIsRight(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/menu.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	file, _, _ := strings.Cut(rest, "```")
	got, warnings, err := menu.Read("docs/menu.md", []byte(file))
	if err != nil || len(warnings) > 0 || len(got.Buttons) != 3 || len(got.Conditional) != 1 {
		t.Errorf("%v, warnings %q, read %+v", err, warnings, got)
	}
}

func TestReadOfWhatIsWritten(t *testing.T) {
	t.Parallel()
	tests := map[string]menu.Menu{
		"everything": parsed(),
		"nothing":    {},
		"like other kinds of value": {Buttons: []menu.Button{
			{Name: "01", Type: "click", Key: "true"}, {Name: "- x: #", Type: "click", Key: "null"}, {Name: "*a", Type: "click", Key: "'\""},
		}},
		"lapsed conditions": {
			Buttons:     []menu.Button{{Name: "a", Type: "click", Key: "k"}},
			Conditional: []menu.Conditional{{Match: menu.Match{"sex": "1", "city": "广州"}, Buttons: []menu.Button{{Name: "a", Type: "click", Key: "k"}}}},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := menu.Write(want)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := menu.Read("menu.yaml", data)
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n%s", diff, data)
			}
		})
	}
}

// TestWrongFiles pins what somebody with a wrong menu file reads: place, button, reason and remedy.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	button := func(keys string) string { return "menu:\n  - {name: 帮助, " + keys + "}\n" }
	below := func(keys string) string {
		return "menu:\n  - name: 更多\n    buttons: [{name: 官网, " + keys + "}]\n"
	}
	conditional := func(text string) string { return button("click: K") + "conditional:\n  - " + text + "\n" }
	many := func(n int) string { return strings.Repeat("  - {name: a, click: K}\n", n) }
	long := strings.Repeat("长", 342)
	tests := map[string]struct{ file, want string }{
		"empty file":       {"", "menu.yaml:1:1: the file is empty; it needs the key menu with the list of buttons"},
		"list alone":       {"- {name: a, click: K}\n", "the file must begin with the key menu:"},
		"no menu":          {"conditional: []\n", "the file has no key menu; give it the list of buttons, or [] for"},
		"wrong key":        {"meun: []\n", `menu.yaml:1:1: unknown key "meun" in the file; did you mean "menu"?`},
		"menu no list":     {"menu: {name: a}\n", `menu.yaml:1:1: menu must be a list, each entry on a line that begins with "- ", not a mapping`},
		"four buttons":     {"menu:\n" + many(4), `menu.yaml:5:5: menu has 4 buttons; WeChat shows at most 3 here`},
		"six below":        {"menu:\n  - name: m\n    buttons:\n" + strings.ReplaceAll(many(6), "  -", "      -"), `menu.yaml:9:9: button "m": buttons has 6 buttons; WeChat shows at most 5 here`},
		"no button":        {"menu: [hello]\n", `menu.yaml:1:8: button without a name: a button must be a mapping`},
		"no name":          {"menu:\n  - {click: K}\n", `menu.yaml:2:`},
		"empty name":       {"menu:\n  - {name: '', click: K}\n", `name is empty; give it a value`},
		"does nothing":     {"menu:\n  - {name: 帮助}\n", `button "帮助": the button does nothing; give it one of article_id,`},
		"does two things":  {button("click: K, view: 'https://a/'"), `button "帮助": the button has click and view; it can do only one of them`},
		"does and has":     {button("click: K, buttons: [{name: a, click: K}]"), `the button has buttons and click`},
		"no buttons below": {button("buttons: []"), `buttons is empty; give it one to 5 buttons`},
		"three levels":     {below("buttons: [{name: a, click: K}]"), `menu.yaml:3:26: button "更多", button "官网": a menu has two levels`},
		"misspelt":         {button("clik: K"), `menu.yaml:2:16: button "帮助": unknown key "clik" in a button; did you mean "click"?`},
		"WeChat's JSON":    {button("type: click, key: K"), `type is how WeChat's JSON writes it; here the type is the key: click: KEY`},
		"its sub_button":   {button("sub_button: []"), `here it is buttons:`},
		"key too long":     {button("click: " + strings.Repeat("k", 129)), `the key of click is 129 bytes long; WeChat takes 128`},
		"key is a list":    {button("click: [a]"), `click must be a text, not a list`},
		"key over lines":   {"menu:\n  - name: 帮助\n    click: |\n      a\n      b\n", `click has a line break or another character that cannot be shown`},
		"no address":       {below("view: example.com"), `menu.yaml:3:32: button "更多", button "官网": view is not a web address; it begins with https://`},
		"address too long": {button("view: https://example.com/" + long), `view is 1046 bytes long; WeChat takes 1024`},
		"half a program":   {button("miniprogram: {appid: wx1}"), `miniprogram has no pagepath, which WeChat requires`},
		"program a text":   {button("miniprogram: wx1"), `miniprogram must be a mapping with the keys appid, pagepath, url, not "wx1"`},
		"nobody else":      {"menu: []\nconditional:\n  - {match: {tag_id: 1}, menu: [{name: a, click: K}]}\n", `menu.yaml:2:1: WeChat takes conditional menus only beside a default one (65303)`},
		"no match":         {conditional("{menu: [{name: a, click: K}]}"), `conditional menu 1: a conditional menu has no match`},
		"empty match":      {conditional("{match: {}, menu: [{name: a, click: K}]}"), `match is empty; give it tag_id or client_platform_type`},
		"no such match":    {conditional("{match: {tag: 1}, menu: [{name: a, click: K}]}"), `unknown key "tag" in match`},
		"name of a tag":    {conditional("{match: {tag_id: VIP}, menu: [{name: a, click: K}]}"), `tag_id "VIP" is not the number of a tag`},
		"platform":         {conditional("{match: {client_platform_type: iOS}, menu: [{name: a, click: K}]}"), `unknown client_platform_type "iOS"; did you mean "ios"?`},
		"no menu for it":   {conditional("{match: {tag_id: 1}}"), `conditional menu 1: a conditional menu has no menu`},
		"empty for it":     {conditional("{match: {tag_id: 1}, menu: []}"), `menu has no buttons; give it one to 3, or remove the conditional menu`},
		"fault within it":  {conditional("{match: {tag_id: 1}, menu: [{name: 甲, clik: K}]}"), `menu.yaml:4:`},
		"second document":  {button("click: K") + "---\nmenu: []\n", `menu.yaml:3:1: a second document begins here`},
	}
	place := regexp.MustCompile(`menu\.yaml(:\d+:\d+:|: \[\d+:\d+\])`)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := menu.Read("menu.yaml", []byte(test.file))
			if err == nil {
				t.Fatal("the file was accepted")
			}
			if !place.MatchString(err.Error()) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("lacks a place or %q:\n%v", test.want, err)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, _, err := menu.Read("f", []byte("menu:\n  - {name: a, clik: K}\n  - {name: b}\nconditional:\n  - match: {tag_id: x}\n    menu: [{name: c, view: y}]\n"))
	var invalid *yamlfile.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Faults) != 4 {
		t.Errorf("want four faults, got %v", err)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ file, want string }{
		"four characters":  {"menu: [{name: 一二三四, click: K}]\n", ""},
		"five characters":  {"menu: [{name: 一二三四五, click: K}]\n", `f:1:15: button "一二三四五": WeChat shows 4 Chinese characters here and … instead of the rest`},
		"eight letters":    {"menu: [{name: abcdefgh, click: K}]\n", ""},
		"six characters":   {"menu: [{name: 一二三四五六, click: K}]\n", "the name is 18 bytes long; WeChat's document allows 16 here"},
		"nine below":       {"menu: [{name: a, buttons: [{name: 一二三四五六七八九, click: K}]}]\n", "WeChat shows 8 Chinese characters here"},
		"eight below":      {"menu: [{name: a, buttons: [{name: 一二三四五六七八, click: K}]}]\n", ""},
		"the same match":   {"menu: [{name: a, click: K}]\nconditional:\n  - {match: {tag_id: 1}, menu: [{name: a, click: K}]}\n  - {match: {tag_id: 1}, menu: [{name: a, click: K}]}\n", "f:4:"},
		"lapsed condition": {"menu: [{name: a, click: K}]\nconditional:\n  - {match: {sex: 1}, menu: [{name: a, click: K}]}\n", "WeChat no longer matches by sex and refuses new menus that do (65320)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, warnings, err := menu.Read("f", []byte(test.file))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(warnings, "\n"); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("warnings %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte("menu: []\n"))
	f.Add([]byte("menu: &a [{name: &b !!str 1, click: *b}]\nconditional: [{match: {sex: 0, tag_id: 007}, menu: *a}]\n"))
	f.Add([]byte("{{{[[[&&&***|>\t: - ? !"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, _, err := menu.Read("f", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		written, err := menu.Write(m)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := menu.Read("f", written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, written)
		}
		if plan := menu.Compare(m, again); !plan.Empty() || !slices.EqualFunc(m.Conditional, again.Conditional, func(a, b menu.Conditional) bool { return maps.Equal(a.Match, b.Match) }) {
			t.Errorf("what was written says something else:\n%s", plan.Diff())
		}
		if plan := menu.Compare(menu.Menu{}, m); plan.Empty() != (len(m.Buttons) == 0) {
			t.Errorf("%d buttons take %d steps", len(m.Buttons), len(plan.Steps()))
		}
	})
}
