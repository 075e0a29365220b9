package menu_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/services/logic/internal/menu"
)

// one is a menu with one button of that key.
func one(key string) []menu.Button {
	return []menu.Button{{Name: "按钮" + key, Type: "click", Key: key}}
}

// there are conditional menus as an account has them, written "id tag key" or "id ios key", newest first.
func there(list ...string) []menu.Conditional {
	all := make([]menu.Conditional, 0, len(list))
	for _, text := range list {
		fields := strings.Fields(text)
		all = append(all, menu.Conditional{ID: fields[0], Match: match(fields[1]), Buttons: one(fields[2])})
	}

	return all
}

// wanted are conditional menus of a file, written "tag key" or "ios key".
func wanted(list ...string) []menu.Conditional {
	all := make([]menu.Conditional, 0, len(list))
	for _, text := range list {
		fields := strings.Fields(text)
		all = append(all, menu.Conditional{Match: match(fields[0]), Buttons: one(fields[1])})
	}

	return all
}

func match(text string) menu.Match {
	if text == "ios" {
		return menu.Match{"client_platform_type": "1"}
	}

	return menu.Match{"tag_id": text}
}

// calls are the paths and what is in the bodies, in short.
func calls(p menu.Plan) []string {
	var list []string
	for _, step := range p.Steps() {
		list = append(list, strings.TrimPrefix(step.Path, "/cgi-bin/menu/")+" "+string(step.Body))
	}

	return list
}

func TestCompare(t *testing.T) {
	t.Parallel()
	created := func(key string) string {
		return fmt.Sprintf(`create {"button":[{"type":"click","name":"按钮%s","key":"%s"}]}`, key, key)
	}
	added := func(rule, key string) string {
		return fmt.Sprintf(`addconditional {"button":[{"type":"click","name":"按钮%s","key":"%s"}],"matchrule":{%s}}`, key, key, rule)
	}
	deleted := func(id string) string { return fmt.Sprintf(`delconditional {"menuid":"%s"}`, id) }
	const ios = `"client_platform_type":"1"`
	tag := func(id string) string { return fmt.Sprintf(`"tag_id":"%s"`, id) }

	tests := map[string]struct {
		have, want menu.Menu
		calls      []string
	}{
		"nothing, nothing":  {menu.Menu{}, menu.Menu{}, nil},
		"the same":          {menu.Menu{Buttons: one("a"), Conditional: there("1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x")}, nil},
		"a first menu":      {menu.Menu{}, menu.Menu{Buttons: one("a")}, []string{created("a")}},
		"a first of both":   {menu.Menu{}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x")}, []string{created("a"), added(tag("7"), "x")}},
		"another menu":      {menu.Menu{Buttons: one("a")}, menu.Menu{Buttons: one("b")}, []string{created("b")}},
		"another address":   {menu.Menu{Buttons: []menu.Button{{Name: "n", Type: "view", URL: "u"}}}, menu.Menu{Buttons: []menu.Button{{Name: "n", Type: "view", URL: "v&w"}}}, []string{`create {"button":[{"type":"view","name":"n","url":"v&w"}]}`}},
		"no menu":           {menu.Menu{Buttons: one("a"), Conditional: there("1 7 x")}, menu.Menu{}, []string{"delete "}},
		"one changed":       {menu.Menu{Buttons: one("a"), Conditional: there("2 8 y", "1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("8 z", "7 x")}, []string{deleted("2"), added(tag("8"), "z")}},
		"one gone":          {menu.Menu{Buttons: one("a"), Conditional: there("2 8 y", "1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x")}, []string{deleted("2")}},
		"a first one":       {menu.Menu{Buttons: one("a"), Conditional: there("1 ios x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 y", "ios x")}, []string{added(tag("7"), "y")}},
		"a last one":        {menu.Menu{Buttons: one("a"), Conditional: there("1 ios x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("ios x", "7 y")}, []string{deleted("1"), added(tag("7"), "y"), added(ios, "x")}},
		"another order":     {menu.Menu{Buttons: one("a"), Conditional: there("2 7 y", "1 ios x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("ios x", "7 y")}, []string{deleted("1"), added(ios, "x")}},
		"order of tags":     {menu.Menu{Buttons: one("a"), Conditional: there("2 8 y", "1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x", "8 y")}, nil},
		"last of tags":      {menu.Menu{Buttons: one("a"), Conditional: there("1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x", "8 y")}, []string{added(tag("8"), "y")}},
		"twice there":       {menu.Menu{Buttons: one("a"), Conditional: there("2 7 x", "1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x")}, []string{deleted("2")}},
		"twice in the file": {menu.Menu{Buttons: one("a"), Conditional: there("1 7 x")}, menu.Menu{Buttons: one("a"), Conditional: wanted("7 x", "7 x")}, []string{added(tag("7"), "x")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := menu.Compare(test.have, test.want)
			if diff := cmp.Diff(test.calls, calls(plan)); diff != "" {
				t.Error(diff)
			}
			if plan.Empty() != (test.calls == nil) || plan.DeletesMenu() != (len(test.calls) == 1 && test.calls[0] == "delete ") {
				t.Errorf("empty %v, deletes %v", plan.Empty(), plan.DeletesMenu())
			}
		})
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	have := menu.Menu{
		Buttons: []menu.Button{
			{Name: "帮助", Type: "click", Key: "HELP"},
			{Name: "更多", Buttons: []menu.Button{{Name: "官网", Type: "view", URL: "https://a/"}, {Name: "联系", Type: "click", Key: "CALL"}}},
		},
		Conditional: there("4 7 x", "3 8 y", "2 ios z", "1 9 w"),
	}
	want := menu.Menu{
		Buttons: []menu.Button{
			{Name: "更多", Buttons: []menu.Button{{Name: "官网", Type: "view", URL: "https://b/"}, {Name: "联系", Type: "click", Key: "CALL"}}},
			{Name: "程序", Type: "miniprogram", AppID: "wx1", PagePath: "p", URL: "https://c/"},
		},
		Conditional: wanted("ios z", "7 x", "8 v", "10 u"),
	}
	plan := menu.Compare(have, want)
	const diff = `  default menu
-   帮助  click: HELP
    更多
-     官网  view: https://a/
+     官网  view: https://b/
      联系  click: CALL
+   程序  miniprogram: wx1 p https://c/
~ for {client_platform_type: ios} (added again: the newest comes first)
  for {tag_id: 7} (unchanged)
  for {tag_id: 8}
-   按钮y  click: y
+   按钮v  click: v
+ for {tag_id: 10}
+   按钮u  click: u
- for {tag_id: 9}
-   按钮w  click: w
`
	if got := cmp.Diff(diff, plan.Diff()); got != "" {
		t.Error(got)
	}
	const tree = `default menu
├─ 更多
│  ├─ 官网  view: https://b/
│  └─ 联系  click: CALL
└─ 程序  miniprogram: wx1 p https://c/
for {client_platform_type: ios}
└─ 按钮z  click: z
for {tag_id: 7}
└─ 按钮x  click: x
for {tag_id: 8}
└─ 按钮v  click: v
for {tag_id: 10}
└─ 按钮u  click: u
`
	if got := cmp.Diff(tree, want.Tree()); got != "" {
		t.Error(got)
	}
	if got := (menu.Menu{}).Tree(); got != "default menu\n└─ (none)\n" {
		t.Errorf("no menu is %q", got)
	}
}
