package simulator

import (
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator/internal/explain"
	"github.com/wxstack/wxstack/simulator/internal/load"
)

// scripts are the page's modules by their path.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	files, err := fs.Glob(web, "web/*.js")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d scripts, error %v", len(files), err)
	}
	found := make(map[string]string)
	for _, file := range files {
		data, err := web.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[file] = string(data)
	}

	return found
}

// The page is whole, loads nothing from elsewhere, and never makes markup of text.
func TestPage(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	status, page := request(t, http.MethodGet, platform.URL()+"/", "")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	var sources strings.Builder
	sources.Write(page)
	for path, script := range scripts(t) {
		if status, _ := request(t, http.MethodGet, platform.URL()+strings.Replace(path, "web/", "/static/", 1), ""); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		for _, imported := range regexp.MustCompile(`from "/static/([^"]+)"`).FindAllStringSubmatch(script, -1) {
			if _, err := web.ReadFile("web/" + imported[1]); err != nil {
				t.Errorf("%s imports %s, which isn't there", path, imported[1])
			}
		}
		for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
			if strings.Contains(script, forbidden) {
				t.Errorf("%s has %s", path, forbidden)
			}
		}
		sources.WriteString(script)
	}
	if external := regexp.MustCompile(`(src|href|from|import) ?=?\(? ?"(https?:)?//`).FindString(sources.String()); external != "" {
		t.Errorf("the page loads something from elsewhere: %s", external)
	}
	if inline := regexp.MustCompile(`<(style|script)>|\son[a-z]+=|\sstyle=`).Find(page); inline != nil {
		t.Errorf("the page has %s, which its policy forbids", inline)
	}
	response, err := http.Get(platform.URL() + "/?account=" + DefaultAppID + "&from=oSOMEBODY")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

// Both languages say everything, and everything that is asked for.
func TestThePagesWords(t *testing.T) {
	t.Parallel()
	all := scripts(t)
	_, tables, _ := strings.Cut(all["web/i18n.js"], "zh: {")
	chinese, english, _ := strings.Cut(tables, "en: {")
	english, _, _ = strings.Cut(english, "\n};")
	keysOf := func(table string) []string {
		var keys []string
		for _, match := range regexp.MustCompile(`(?m)(?:^|,|\{)\s*([A-Za-z_]+): "`).FindAllStringSubmatch(table, -1) {
			keys = append(keys, match[1])
		}

		return keys
	}
	zh, en := keysOf(chinese), keysOf(english)
	if diff := cmp.Diff(zh, en); diff != "" || len(zh) < 150 {
		t.Errorf("%d keys; the languages differ (-zh +en):\n%s", len(zh), diff)
	}
	if twice := len(slices.Compact(slices.Sorted(slices.Values(zh)))); twice != len(zh) {
		t.Errorf("of %d keys %d are distinct", len(zh), twice)
	}
	page, err := web.ReadFile("web/index.html")
	if err != nil {
		t.Fatal(err)
	}
	all["web/index.html"] = string(page)
	for path, source := range all {
		for _, match := range regexp.MustCompile(`\bt\("([a-zA-Z_]+)"|data-i18n(?:-label)?="([a-zA-Z_]+)"`).FindAllStringSubmatch(source, -1) {
			if key := match[1] + match[2]; !slices.Contains(zh, key) {
				t.Errorf("%s asks for %q, which has no words", path, key)
			}
		}
	}
	named := []string{ // By the server: parts of an explanation, kinds of tokens and of findings.
		string(explain.PartSignature), string(explain.PartMsgSignature), string(explain.PartDecryption), string(explain.PartReply),
		string(TokenClassic), string(TokenStable), string(TokenWork), string(TokenComponent), string(TokenAuthorizer),
		string(load.Lost), string(load.Duplicate), string(load.Wrong), string(load.Inconsistent),
	}
	for _, key := range named {
		if !slices.Contains(zh, key) {
			t.Errorf("there are no words for %q", key)
		}
	}
	for _, key := range zh {
		used := slices.Contains(named, key)
		for path, source := range all {
			used = used || (path != "web/i18n.js" && regexp.MustCompile(`\b`+key+`\b`).MatchString(source))
		}
		if !used {
			t.Errorf("nobody asks for %q", key)
		}
	}
}
