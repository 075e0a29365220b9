package menu

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/wxstack/wxstack/services/logic/internal/suggest"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// The limits of a menu (微信公众平台 “创建自定义菜单”).
const (
	maxButtons    = 3
	maxSubButtons = 5
	maxKeyBytes   = 128
	maxURLBytes   = 1024
)

// Read reads a menu file. The name is for errors: that of the file. Everything that is wrong in it is one
// *yamlfile.InvalidError. The warnings, lines in the same form, are about what WeChat may take and followers will
// not like.
func Read(name string, data []byte) (m Menu, warnings []string, err error) {
	r := &reader{file: name}
	err = yamlfile.Read(name, data, "the key menu with the list of buttons", func(y *yamlfile.Reader, root ast.Node) {
		r.Reader = y
		m = r.menu(root)
	})
	if err != nil {
		return Menu{}, nil, err
	}

	return m, r.warnings, nil
}

type reader struct {
	*yamlfile.Reader

	file     string
	warnings []string
}

func (r *reader) warnf(at ast.Node, format string, args ...any) {
	r.warnings = append(r.warnings, r.Remark(at, format, args...).In(r.file))
}

// about makes faults name a part within the one that is being read, until the function it returns is called.
func (r *reader) about(part string) (done func()) {
	before := r.Subject
	if before != "" {
		part = before + ", " + part
	}
	r.Subject = part

	return func() { r.Subject = before }
}

func (r *reader) menu(root ast.Node) Menu {
	var m Menu
	var conditional yamlfile.Entry
	if _, isList := r.Resolve(root).(*ast.SequenceNode); isList {
		r.Faultf(root, "the file must begin with the key menu: and the list of buttons indented under it")

		return m
	}
	before := r.Faults()
	found, ok := r.Mapping(root, "the file", map[string]func(yamlfile.Entry){
		"menu": func(e yamlfile.Entry) { m.Buttons = r.buttons(e, "menu", maxButtons) },
		"conditional": func(e yamlfile.Entry) {
			conditional = e
			m.Conditional = r.conditionals(e)
		},
	})
	_, hasMenu := found["menu"]
	switch {
	case !ok || r.Faults() > before:
	case !hasMenu:
		r.Faultf(root, "the file has no key menu; give it the list of buttons, or [] for an account without a menu")
	case len(m.Buttons) == 0 && len(m.Conditional) > 0:
		r.Faultf(conditional.Key, "WeChat takes conditional menus only beside a default one (65303); give menu: the buttons that everybody else sees")
	}

	return m
}

func (r *reader) conditionals(e yamlfile.Entry) []Conditional {
	nodes, ok := r.List(e, "conditional")
	if !ok {
		return nil
	}
	var all []Conditional
	for i, node := range nodes {
		done := r.about(fmt.Sprintf("conditional menu %d", i+1))
		c := r.conditional(node)
		if same := slices.IndexFunc(all, func(earlier Conditional) bool { return maps.Equal(earlier.Match, c.Match) }); same >= 0 && len(c.Match) > 0 {
			r.warnf(node, "nobody sees it: conditional menu %d has the same match and comes first", same+1)
		}
		all = append(all, c)
		done()
	}

	return all
}

func (r *reader) conditional(node ast.Node) Conditional {
	var c Conditional
	found, ok := r.Mapping(node, "a conditional menu", map[string]func(yamlfile.Entry){
		"match": func(e yamlfile.Entry) { c.Match = r.match(e) },
		"menu": func(e yamlfile.Entry) {
			before := r.Faults()
			if c.Buttons = r.buttons(e, "menu", maxButtons); len(c.Buttons) == 0 && r.Faults() == before {
				r.Faultf(e.Key, "menu has no buttons; give it one to %d, or remove the conditional menu", maxButtons)
			}
		},
	})
	at := yamlfile.Entry{Key: node, Value: node}
	r.Require(at, found, "a conditional menu", "match")
	r.Require(at, found, "a conditional menu", "menu")
	if !ok {
		return Conditional{}
	}

	return c
}

var digits = regexp.MustCompile(`^[0-9]+$`)

func (r *reader) match(e yamlfile.Entry) Match {
	m := Match{}
	known := map[string]func(yamlfile.Entry){
		keyTagID: func(e yamlfile.Entry) {
			id, ok := r.text(e, keyTagID)
			if ok && !digits.MatchString(id) {
				r.Faultf(e.Value, "tag_id %q is not the number of a tag (标签); /cgi-bin/tags/get lists numbers and names", id)
			}
			m[keyTagID] = id
		},
		keyPlatform: func(e yamlfile.Entry) { m[keyPlatform] = r.platform(e) },
	}
	for _, key := range privateKeys {
		known[key] = func(e yamlfile.Entry) {
			m[key], _ = r.text(e, key)
			r.warnf(e.Key, "WeChat no longer matches by %s and refuses new menus that do (65320); use tag_id", key)
		}
	}
	if found, ok := r.Mapping(e.Value, "match", known); ok && len(found) == 0 {
		r.Faultf(e.Key, "match is empty; give it tag_id or client_platform_type")
	}

	return m
}

func (r *reader) platform(e yamlfile.Entry) string {
	given, ok := r.text(e, keyPlatform)
	if !ok {
		return ""
	}
	if _, isNumber := platforms[given]; isNumber {
		return given
	}
	for number, name := range platforms {
		if name == given {
			return number
		}
	}
	r.Faultf(e.Value, "unknown client_platform_type %q%s", given, suggest.DidYouMean(given, []string{"ios", "android", "other"}))

	return ""
}

// buttons reads a list of at most so many buttons. Those of the lower level are allowed no others below them.
func (r *reader) buttons(e yamlfile.Entry, what string, most int) []Button {
	nodes, ok := r.List(e, what)
	if !ok {
		return nil
	}
	if len(nodes) > most {
		r.Faultf(nodes[most], "%s has %d buttons; WeChat shows at most %d here", what, len(nodes), most)
	}
	var buttons []Button
	for _, node := range nodes {
		done := r.about("button " + r.nameOf(node))
		buttons = append(buttons, r.button(node, most == maxSubButtons))
		done()
	}

	return buttons
}

// nameOf looks the name up before the button is read, so that every fault in it names the button.
func (r *reader) nameOf(node ast.Node) string {
	if mapNode, ok := r.Resolve(node).(ast.MapNode); ok {
		for pairs := mapNode.MapRange(); pairs.Next(); {
			if pairs.Key().GetToken().Value == "name" {
				return r.Describe(pairs.Value())
			}
		}
	}

	return "without a name"
}

func (r *reader) button(node ast.Node, lower bool) Button {
	var b Button
	keys := map[string]func(yamlfile.Entry){
		miniProgram: func(e yamlfile.Entry) { r.miniProgram(e, &b) },
		"buttons":   func(e yamlfile.Entry) { b.Buttons = r.below(e, lower) },
	}
	for _, simple := range simpleTypes {
		keys[simple] = func(e yamlfile.Entry) {
			b.Type = simple
			*b.value() = r.simple(e, simple)
		}
	}
	kinds := slices.Sorted(maps.Keys(keys))
	keys["name"] = func(e yamlfile.Entry) { b.Name = r.name(e, lower) }
	for key, advice := range jsonNames {
		keys[key] = func(e yamlfile.Entry) { r.Faultf(e.Key, "%s is how WeChat's JSON writes it; here %s", key, advice) }
	}
	before := r.Faults()
	found, ok := r.Mapping(node, "a button", keys)
	if !ok {
		return b
	}
	r.Require(yamlfile.Entry{Key: node, Value: node}, found, "a button", "name")
	if r.Faults() > before {
		return b
	}
	delete(found, "name")
	switch given := slices.Sorted(maps.Keys(found)); {
	case len(given) == 0:
		r.Faultf(node, "the button does nothing; give it one of %s", strings.Join(kinds, ", "))
	case len(given) > 1:
		r.Faultf(found[given[1]].Key, "the button has %s; it can do only one of them", strings.Join(given, " and "))
	}

	return b
}

// jsonNames are keys that somebody who knows WeChat's JSON writes first.
var jsonNames = map[string]string{
	"type":       "the type is the key: click: KEY, view: https://…",
	"key":        "the key is the value of the type: click: KEY",
	"url":        "the address is the value of the type: view: https://…",
	"sub_button": "it is buttons:",
	"appid":      "it stands within miniprogram: {appid: …, pagepath: …, url: …}",
	"pagepath":   "it stands within miniprogram: {appid: …, pagepath: …, url: …}",
}

func (r *reader) below(e yamlfile.Entry, lower bool) []Button {
	if lower {
		r.Faultf(e.Key, "a menu has two levels; move these buttons up, or give the button one action such as click")

		return nil
	}
	before := r.Faults()
	buttons := r.buttons(e, "buttons", maxSubButtons)
	if len(buttons) == 0 && r.Faults() == before {
		r.Faultf(e.Key, "buttons is empty; give it one to %d buttons, or give the button one action such as click", maxSubButtons)
	}

	return buttons
}

// text is a text that WeChat's JSON can hold as it is: it refuses \u escapes (40033), and Go can write these
// characters in no other way.
func (r *reader) text(e yamlfile.Entry, what string) (string, bool) {
	text, ok := r.Text(e, what)
	if ok && strings.ContainsFunc(text, func(c rune) bool {
		return unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || c == unicode.ReplacementChar
	}) {
		r.Faultf(e.Value, "%s has a line break or another character that cannot be shown; remove it", what)

		return "", false
	}

	return text, ok
}

func (r *reader) simple(e yamlfile.Entry, kind string) string {
	if kind == "view" {
		return r.address(e, kind)
	}
	value, ok := r.text(e, kind)
	button := Button{Type: kind}
	if ok && button.value() == &button.Key && len(value) > maxKeyBytes {
		r.Faultf(e.Value, "the key of %s is %d bytes long; WeChat takes %d", kind, len(value), maxKeyBytes)
	}

	return value
}

func (r *reader) address(e yamlfile.Entry, what string) string {
	text, ok := r.text(e, what)
	if !ok {
		return ""
	}
	_, isWeb := yamlfile.WebAddress(text)
	switch {
	case !isWeb:
		r.Faultf(e.Value, "%s is not a web address; it begins with https:// or http://", what)
	case len(text) > maxURLBytes:
		r.Faultf(e.Value, "%s is %d bytes long; WeChat takes %d", what, len(text), maxURLBytes)
	}

	return text
}

func (r *reader) miniProgram(e yamlfile.Entry, b *Button) {
	b.Type = miniProgram
	found, _ := r.Mapping(e.Value, miniProgram, map[string]func(yamlfile.Entry){
		"appid":    func(e yamlfile.Entry) { b.AppID, _ = r.text(e, "appid") },
		"pagepath": func(e yamlfile.Entry) { b.PagePath, _ = r.text(e, "pagepath") },
		"url":      func(e yamlfile.Entry) { b.URL = r.address(e, "url") },
	})
	for _, key := range []string{"appid", "pagepath", "url"} {
		r.Require(e, found, miniProgram, key)
	}
}

// What of a name WeChat shows, in columns of which a Chinese character takes two, and how many bytes its document
// allows.
const (
	shownColumns, shownColumnsBelow = 8, 16
	nameBytes, nameBytesBelow       = 16, 60
)

func (r *reader) name(e yamlfile.Entry, lower bool) string {
	name, ok := r.text(e, "name")
	shown, bytes := shownColumns, nameBytes
	if lower {
		shown, bytes = shownColumnsBelow, nameBytesBelow
	}
	switch {
	case !ok:
	case len(name) > bytes:
		r.warnf(e.Value, "the name is %d bytes long; WeChat's document allows %d here, so it may be refused", len(name), bytes)
	case columns(name) > shown:
		r.warnf(e.Value, "WeChat shows %d Chinese characters here and … instead of the rest", shown/2)
	}

	return name
}

// columns is how wide a text is; Chinese characters and their like take two columns.
func columns(text string) int {
	const firstWide = 0x1100
	width := 0
	for _, c := range text {
		if width++; c >= firstWide {
			width++
		}
	}

	return width
}
