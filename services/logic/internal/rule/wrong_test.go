package rule_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/wxstack/wxstack/services/logic/internal/rule"
	"github.com/wxstack/wxstack/services/logic/internal/yamlfile"
)

// TestWrongFiles pins what somebody with a wrong rule file reads: place, rule, reason and remedy.
func TestWrongFiles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 683)
	tests := map[string]struct {
		file string
		want []string
	}{
		"empty file":          {"", []string{"rules.yaml:1:1: the file is empty; it needs the key rules with at least one rule"}},
		"only a comment":      {"# nothing\n", []string{"rules.yaml:1:1: the file is empty"}},
		"list without rules:": {"- name: a\n  reply: {text: b}\n", []string{"rules.yaml:1:", "must begin with the key rules:"}},
		"wrong top key":       {"rulez:\n  - name: a\n", []string{`rules.yaml:1:1: unknown key "rulez" in the file; did you mean "rules"?`}},
		"no rules":            {"rules: []\n", []string{"rules.yaml:1:1: the list of rules is empty"}},
		"rules no list":       {"rules: {name: a}\n", []string{"rules.yaml:1:1: rules must be a list", "not a mapping"}},
		"second document":     {"rules:\n  - {name: a, reply: {text: b}}\n---\nrules: []\n", []string{"rules.yaml:3:1: a second document begins here; put everything into one"}},
		"tab":                 {"rules:\n\t- name: a\n", []string{"rules.yaml: [2:", "never tabs"}},
		"key twice":           {"rules:\n  - name: a\n    name: b\n    reply: {text: c}\n", []string{"rules.yaml: [3:5]", `"name" already defined`}},
		"unclosed quote":      {"rules:\n  - name: \"a\n", []string{"rules.yaml: [2:"}},
		"rule no mapping":     {"rules:\n  - hello\n", []string{`rules.yaml:2:5: a rule must be a mapping with the keys `, `not "hello"`}},
		"no name":             {"rules:\n  - reply: {text: a}\n", []string{"rules.yaml:2:", "the rule has no name; add name:"}},
		"empty name":          {"rules:\n  - name: ''\n    reply: {text: a}\n", []string{"rules.yaml:2:5: name is empty; give it a value"}},
		"bad name":            {"rules:\n  - name: a/b\n    reply: {text: a}\n", []string{`rules.yaml:2:11: rule "a/b": name "a/b": use up to 64 letters`}},
		"name twice":          {"rules:\n  - {name: a, match: {text: x}, reply: {text: b}}\n  - {name: a, reply: {text: b}}\n", []string{`rules.yaml:3:12: rule "a": the name is used by the rule in line 2 already`}},
		"unknown rule key":    {rules("    mach: {type: text}\n    reply: {text: b}"), []string{`rules.yaml:3:5: rule "a": unknown key "mach" in a rule; did you mean "match"?`}},
		"no reply":            {rules("    match: {type: text}"), []string{`rule "a": the rule has no reply; give it one of reply, `, "to show the follower nothing write reply: {silence: true}"}},
		"empty reply":         {rules("    reply: {}"), []string{`rules.yaml:3:12: rule "a": reply is empty; give it one of image, music, news, silence, text`}},
		"reply is a text":     {rules("    reply: hello"), []string{`rules.yaml:3:12: rule "a": reply must be a mapping`, `not "hello"`}},
		"two replies":         {rules("    reply: {text: b, image: c}"), []string{`rule "a": reply has image and text; it can be only one of them (further messages go into send)`}},
		"unknown reply":       {rules("    reply: {txet: b}"), []string{`rules.yaml:3:13: rule "a": unknown key "txet" in reply; did you mean "text"?`}},
		"silence false":       {rules("    reply: {silence: false}"), []string{`rules.yaml:3:13: rule "a": silence can only be true`}},
		"empty text":          {rules("    reply: {text: ''}"), []string{`rules.yaml:3:13: rule "a": text is empty`}},
		"text is a list":      {rules("    reply: {text: [b]}"), []string{`rule "a": text must be a text, not a list`}},
		"text too long":       {rules("    reply: {text: " + long + "}"), []string{`rules.yaml:3:19: rule "a": text is 2049 bytes long; WeChat shows 2048`, "move the rest into send"}},
		"unquoted template":   {rules("    reply: {text: {{ .Content }}}"), []string{"rules.yaml: [3:", "a leading {{, [, * or &, needs quotes"}},
		"unquoted image":      {rules("    reply:\n      image: {{ .MediaID }}"), []string{"rules.yaml: [4:15]", "a leading {{, [, * or &, needs quotes"}},
		"template unclosed":   {rules("    reply: {text: '{{ .Content'}"), []string{`rules.yaml:3:19: rule "a": text: template:`, "unclosed action", "a placeholder looks like {{ .Content }}"}},
		"template field":      {rules("    reply: {text: '{{ .Contnet }}'}"), []string{`rules.yaml:3:19: rule "a": text: template: unknown field .Contnet; did you mean "Content"?`}},
		"template branch":     {rules("    reply: {text: 'x{{ if eq .MsgType \"q\" }}{{ .Foo }}{{ end }}'}"), []string{"unknown field .Foo; known are: AppID"}},
		"template no dot":     {rules("    reply: {text: '{{ Content }}'}"), []string{`function "Content" not defined; did you mean {{ .Content }}?`}},
		"template function":   {rules("    reply: {text: '{{ prinft .Content }}'}"), []string{`function "prinft" not defined; did you mean "printf"?`}},
		"template loop":       {rules("    reply: {text: '{{ range 9 }}x{{ end }}'}"), []string{"range is not supported"}},
		"template define":     {rules("    reply: {text: '{{ define \"x\" }}x{{ end }}y'}"), []string{"define, block and template are not supported"}},
		"template fails":      {rules("    reply: {text: '{{ slice .Content 0 999 }}'}"), []string{"tried on a sample message", "guard it with {{ if }}"}},
		"image without id":    {rules("    reply: {image: {}}"), []string{`rules.yaml:3:13: rule "a": image has no media_id, which WeChat requires`}},
		"image key":           {rules("    reply: {image: {mediaid: x}}"), []string{`unknown key "mediaid" in image; did you mean "media_id"?`}},
		"video without id":    {rules("    reply: {video: {title: x}}"), []string{"video has no media_id"}},
		"music without thumb": {rules("    reply: {music: {title: x}}"), []string{"music has no thumb_media_id"}},
		"music url":           {rules("    reply: {music: {thumb_media_id: x, music_url: example.com}}"), []string{`music_url "example.com" is not a web address; it begins with https:// or http://`}},
		"news empty":          {rules("    reply: {news: []}"), []string{"news is empty; it needs at least one article"}},
		"news title":          {rules("    reply:\n      news:\n        - url: https://example.com"), []string{"rules.yaml:5:", "an article has no title"}},
		"news two articles":   {rules("    reply:\n      news: [{title: a}, {title: b}]"), []string{"news has 2 articles; WeChat shows 1 in reply to a message and 8 to an event"}},
		"news nine articles":  {rules("    match: {event: CLICK}\n    reply:\n      news: [{title: a}, {title: a}, {title: a}, {title: a}, {title: a}, {title: a}, {title: a}, {title: a}, {title: a}]"), []string{"news has 9 articles; 8 is the most here"}},
		"unknown match":       {rules("    match: {txt: b}\n    reply: {text: b}"), []string{`rules.yaml:3:13: rule "a": unknown key "txt" in match; did you mean "text"?`}},
		"unknown type":        {rules("    match: {type: imgae}\n    reply: {text: b}"), []string{`rules.yaml:3:19: rule "a": unknown type "imgae"; did you mean "image"?`}},
		"strange type":        {rules("    match: {type: picture}\n    reply: {text: b}"), []string{`unknown type "picture"; known are: text, image`}},
		"event as type":       {rules("    match: {type: subscribe}\n    reply: {text: b}"), []string{`"subscribe" is an event, not a type; write event: subscribe`}},
		"unknown event":       {rules("    match: {event: subscirbe}\n    reply: {text: b}"), []string{`unknown event "subscirbe"; did you mean "subscribe"?`}},
		"silent event":        {rules("    match: {event: unsubscribe}\n    reply: {text: b}"), []string{"WeChat shows no reply to the event unsubscribe; use reply: {silence: true}"}},
		"text in event":       {rules("    match: {event: CLICK, text: b}\n    reply: {text: b}"), []string{"text looks at text messages and event at events, so both can never match; make two rules"}},
		"text in image":       {rules("    match: {type: image, contains: b}\n    reply: {text: b}"), []string{"contains needs type text but the rule matches type image only"}},
		"key in text":         {rules("    match: {type: text, key: b}\n    reply: {text: b}"), []string{"key needs type event but the rule matches type text only"}},
		"empty list":          {rules("    match: {contains: []}\n    reply: {text: b}"), []string{"contains is an empty list, which nothing matches"}},
		"pattern":             {rules("    match: {pattern: '('}\n    reply: {text: b}"), []string{`rules.yaml:3:22: rule "a": pattern: error parsing regexp: missing closing )`, "the syntax is RE2"}},
		"pattern too long":    {rules("    match: {pattern: '" + strings.Repeat("x", 1001) + "'}\n    reply: {text: b}"), []string{"pattern is 1001 bytes long; 1000 is the most: use contains"}},
		"account":             {rules("    match: {account: shop}\n    reply: {text: b}"), []string{`account "shop" is neither an AppID (wx…) nor an original id (gh_…)`}},
		"never reached":       {"rules:\n  - {name: all, reply: {text: x}}\n  - {name: late, match: {text: y}, reply: {text: z}}\n", []string{`rules.yaml:3:`, `rule "late": never reached: rule "all" in line 2 matches every message; move this one before it`}},
		"send no list":        {rules("    reply: {text: b}\n    send: {text: c}"), []string{`rules.yaml:4:5: rule "a": send must be a list`}},
		"send silence":        {rules("    reply: {text: b}\n    send: [{silence: true}]"), []string{`unknown key "silence" in an entry of send`}},
		"send transfer":       {rules("    reply: {text: b}\n    send: [{transfer_customer_service: true}]"), []string{`unknown key "transfer_customer_service" in an entry of send`}},
		"send too many":       {rules("    match: {event: CLICK}\n    reply: {text: b}\n    send: [{text: c}, {text: c}, {text: c}, {text: c}]"), []string{`rules.yaml:5:5: rule "a": send has 4 messages; WeChat allows 5 after a message and 3 after an event`}},
		"send two articles":   {rules("    reply: {text: b}\n    send: [{news: [{title: a}, {title: b}]}]"), []string{"news has 2 articles; 1 is the most here"}},
		"agent":               {rules("    match: {type: text}\n    reply: {transfer_customer_service: {kf_account: test1}}"), []string{`kf_account "test1": write the agent's full account, name@`}},
		"transfer of event":   {rules("    match: {event: CLICK}\n    reply: {transfer_customer_service: true}"), []string{"transfer_customer_service hands over messages, not events"}},
		"send to the AI":      {rules("    reply: {text: b}\n    send: [{transfer_biz_ai_ivr: true}]"), []string{`unknown key "transfer_biz_ai_ivr" in an entry of send`}},
		"event to the AI":     {rules("    match: {event: CLICK}\n    reply: {transfer_biz_ai_ivr: true}"), []string{"transfer_biz_ai_ivr hands over messages, not events"}},
		"AI false":            {rules("    reply: {transfer_biz_ai_ivr: false}"), []string{"transfer_biz_ai_ivr can only be true"}},
		"transfer false":      {rules("    reply: {transfer_customer_service: false}"), []string{"transfer_customer_service: false says nothing; remove it"}},
		"scene in a text":     {rules("    match: {text: a, scene: b}\n    reply: {text: b}"), []string{"text looks at text messages and scene at events"}},
		"scene of a click":    {rules("    match: {event: CLICK, scene: b}\n    reply: {text: b}"), []string{"which only the events SCAN and subscribe have, not CLICK"}},
		"expression name":     {rules("    match: {if: Contnet == \"x\"}\n    reply: {text: b}"), []string{`rules.yaml:3:17: rule "a": if: expression: unknown name Contnet (character 1); did you mean "Content"?`}},
		"expression no bool":  {rules("    match: {if: Content}\n    reply: {text: b}"), []string{"if: expression: ", "compare with something"}},
		"expression braces":   {rules("    match: {if: '{{ .Content }} == 1'}\n    reply: {text: b}"), []string{"an expression has no braces"}},
		"expression too long": {rules("    match: {if: '" + strings.Repeat("x", 1001) + "'}\n    reply: {text: b}"), []string{"1001 bytes long; 1000 is the most"}},
		"time empty":          {rules("    match: {time: {}}\n    reply: {text: b}"), []string{"time has no window; give it from, until, days or hours"}},
		"time backwards":      {rules("    match: {time: {from: 2026-12-24, until: 2026-12-23 18:00}}\n    reply: {text: b}"), []string{"until is not after from, so the rule never matches"}},
		"time no date":        {rules("    match: {time: {from: 24.12.2026}}\n    reply: {text: b}"), []string{`from "24.12.2026" is no time; write 2026-12-24 18:00`}},
		"time unknown key":    {rules("    match: {time: {hour: 9}}\n    reply: {text: b}"), []string{`unknown key "hour" in time; did you mean "hours"?`}},
		"time day":            {rules("    match: {time: {days: [mon, tus]}}\n    reply: {text: b}"), []string{`rules.yaml:3:32: rule "a": unknown day "tus"; did you mean "tue"?`}},
		"time hours":          {rules("    match: {time: {hours: 9-18}}\n    reply: {text: b}"), []string{`hours "9-18" is no span of the day; write 09:00-18:00`}},
		"time zone":           {rules("    match: {time: {days: mon, zone: Shanghai}}\n    reply: {text: b}"), []string{`unknown zone "Shanghai"; write it as in Asia/Shanghai`}},
		"rollout empty":       {rules("    rollout: {}\n    reply: {text: b}"), []string{"rollout is for nobody; give it percent or followers"}},
		"rollout percent":     {rules("    rollout: {percent: 101}\n    reply: {text: b}"), []string{`percent must be a number from 0 to 100, not "101"`}},
		"rollout key":         {rules("    rollout: {users: [o]}\n    reply: {text: b}"), []string{`unknown key "users" in rollout; known are: followers, percent, seed`}},
		"two handlers":        {rules("    reply: {text: b}\n    echo: true"), []string{"the rule has reply and echo; it can have only one of them"}},
		"send without reply":  {rules("    echo: true\n    send: [{text: a}]"), []string{"send goes with reply only; echo sends what it has to send itself"}},
		"echo false":          {rules("    echo: false"), []string{"echo can only be true; remove it"}},
		"unknown alias":       {rules("    reply: {text: *greeting}"), []string{"rules.yaml"}},
		"alias of itself":     {rules("    reply: &x\n      text: *x"), []string{"rules.yaml"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, test.file, test.want...)
		})
	}
}

var hasPlace = regexp.MustCompile(`rules\.yaml(:\d+:\d+:|: \[\d+:\d+\])`)

// refused fails the test unless the file is refused with a message that has a place and all that is wanted.
func refused(t *testing.T, file string, want ...string) {
	t.Helper()
	_, err := rule.Load("rules.yaml", []byte(file), nil)
	if err == nil {
		t.Fatal("the file was accepted")
	}
	t.Log(err)
	if !hasPlace.MatchString(err.Error()) {
		t.Error("the message has no line")
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message lacks %q", part)
		}
	}
}

// rules is a file with one rule of the name a, whose keys are given from line 3 on.
func rules(keys string) string { return "rules:\n  - name: a\n" + keys + "\n" }

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := rule.Load("f", []byte(`rules:
  - name: one
    match: {typ: text}
    reply: {text: a}
  - name: two
    match: {event: SCNA}
    reply: {image: {media: x}}
`), nil)
	var invalid *yamlfile.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("want an InvalidError, got %v", err)
	}
	lines := make([]int, 0, len(invalid.Faults))
	for _, fault := range invalid.Faults {
		lines = append(lines, fault.Line)
	}
	if len(lines) != 4 || lines[0] != 3 || lines[1] != 6 || lines[2] != 7 || lines[3] != 7 {
		t.Errorf("want faults in lines 3, 6, 7 and 7, got %v", lines)
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	t.Parallel()
	_, err := rule.Load("f", []byte("rules:\n"+strings.Repeat("  - name: /\n", 9)), nil)
	if err == nil || !strings.HasSuffix(err.Error(), "f: and 8 more") {
		t.Errorf("want 18 faults cut to 10 and a count, got %v", err)
	}
}
