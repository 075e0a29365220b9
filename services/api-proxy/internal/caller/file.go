package caller

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxstack/wxstack/chassis/callers"
	"github.com/wxstack/wxstack/chassis/config"

	"github.com/wxstack/wxstack/services/api-proxy/internal/endpoint"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
)

// place is what people are told about the callers file.
var place = callers.Place{
	Service: "api-proxy", Setting: "WX_CALLERS_FILE",
	Show: `send a caller key (a key_file of WX_CALLERS_FILE): over HTTP as secret to /cgi-bin/token, whose access_token then says who calls, or as "Authorization: Bearer KEY"; over gRPC as metadata "authorization: Bearer KEY" (gateway and logic: API_PROXY_KEY_FILE) or by mutual TLS`,
}

// file is the callers file.
type file struct {
	// WithoutRedis says what of the limits holds while Redis is away: local (also when absent), open or closed.
	WithoutRedis string `yaml:"without_redis"`
	// Reserve is the part of daily limits and of the limits below that batch callers leave to the others.
	Reserve string `yaml:"reserve"`
	// Anonymous are patterns of what everybody may call who brings a user's token: /sns/userinfo and its like.
	Anonymous callers.Names `yaml:"anonymous"`
	// Limits are for all callers of an account together.
	Limits  []limitEntry  `yaml:"limits"`
	Callers []callerEntry `yaml:"callers"`
}

// callerEntry is one caller.
type callerEntry struct {
	callers.Proof `yaml:",inline"`

	// Accounts are AppIDs, or "*".
	Accounts callers.Names `yaml:"accounts"`
	// APIs are patterns of what may be called, Except of what may not all the same.
	APIs   callers.Names `yaml:"apis"`
	Except callers.Names `yaml:"except"`
	// Priority is interactive (also when absent) or batch.
	Priority string       `yaml:"priority"`
	Limits   []limitEntry `yaml:"limits"`
	Daily    []dailyEntry `yaml:"daily"`
}

// limitEntry is a rate for a class of endpoints.
type limitEntry struct {
	// Class is one of the endpoint table, or "*" for all calls together.
	Class    string        `yaml:"class"`
	Accounts callers.Names `yaml:"accounts"`
	// Rate looks like 20/s, 600/m or 1000/h.
	Rate string `yaml:"rate"`
	// Burst is how many calls may come at once; those of one second when absent.
	Burst int `yaml:"burst"`
}

// dailyEntry bounds the calls of a day to one endpoint.
type dailyEntry struct {
	// Path is one of the endpoint table.
	Path string `yaml:"path"`
	// Calls is a number, Share a part of WeChat's daily limit such as 30%.
	Calls int64  `yaml:"calls"`
	Share string `yaml:"share"`
}

// defaultReserve is the part that batch callers leave when the file does not say.
const defaultReserve limit.Permille = 200

// Load reads the callers file and the keys that it names. The error tells everything that is wrong, each
// with its line. An empty path gives the nil Directory, which lets everybody do everything.
func Load(path string, table *endpoint.Table) (*Directory, error) {
	return load(&config.Files{}, path, table)
}

func load(files *config.Files, path string, table *endpoint.Table) (*Directory, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // the nil Directory is the open one.
	}
	var f file
	in, err := callers.Read[Caller](files, place, path, &f)
	if err != nil {
		return nil, err
	}
	r := reader{in: in, table: table}
	rules := r.shared(f)
	for i, e := range f.Callers {
		at := fmt.Sprintf("callers[%d]", i)
		in.Take(at, e.Proof, r.caller(at, e, rules))
	}
	d, err := in.Directory()
	if err != nil {
		return nil, err
	}
	return &Directory{listed: d, anonymous: Caller{Name: nameless, Listed: true, apis: rules.anonymous, sharedRules: rules}}, nil
}

// reader reads entries and tells the file's Reader what is wrong with them.
type reader struct {
	in    *callers.Reader[Caller]
	table *endpoint.Table
}

func (r reader) shared(f file) *shared {
	rules := &shared{limits: r.limits("limits", f.Limits), anonymous: r.anonymous(f.Anonymous), reserve: defaultReserve}
	var err error
	if rules.without, err = limit.ParseFallback(f.WithoutRedis); err != nil {
		r.in.Faultf("without_redis", "%v", err)
	}
	if f.Reserve != "" {
		if rules.reserve, err = parseShare(f.Reserve); err != nil {
			r.in.Faultf("reserve", "%v", err)
		}
	}
	return rules
}

// anonymous takes patterns of paths that bring a token of a user's, and no others: that token is the proof.
func (r reader) anonymous(texts []string) []endpoint.Pattern {
	patterns := r.patterns("anonymous", texts)
	for i, text := range texts {
		if _, path, _ := strings.Cut(text, "/"); !strings.HasPrefix(path, "sns/") {
			r.in.Faultf(fmt.Sprintf("anonymous[%d]", i), "%q is not below /sns/, where calls bring the token of a user; everything else takes a caller", text)
		}
	}
	return patterns
}

func (r reader) caller(at string, e callerEntry, rules *shared) Caller {
	c := Caller{
		Name: e.Name, Listed: true, accounts: e.Accounts, sharedRules: rules,
		apis: r.patterns(at+".apis", e.APIs), except: r.patterns(at+".except", e.Except),
		limits: r.limits(at+".limits", e.Limits), allowances: r.allowances(at+".daily", e.Daily),
	}
	if len(e.Accounts) == 0 {
		r.in.Faultf(at+".accounts", "not set; write a list of AppIDs, or %q for every account", callers.Everything)
	}
	if len(e.APIs) == 0 {
		r.in.Faultf(at+".apis", "not set; write a list such as [POST /cgi-bin/message/*, /cgi-bin/user/info], or %q for everything that the endpoint table lists", callers.Everything)
	}
	if e.Name == nameless {
		r.in.Faultf(at+".name", "%q is the name of those who bring no proof; choose another", nameless)
	}
	switch e.Priority {
	case "", "interactive":
	case "batch":
		c.batch = true
	default:
		r.in.Faultf(at+".priority", "%q is neither interactive nor batch", e.Priority)
	}
	return c
}

func (r reader) patterns(at string, texts []string) []endpoint.Pattern {
	patterns := make([]endpoint.Pattern, 0, len(texts))
	for i, text := range texts {
		p, err := endpoint.ParsePattern(text)
		if err != nil {
			r.in.Faultf(fmt.Sprintf("%s[%d]", at, i), "%v", err)
		}
		patterns = append(patterns, p)
	}
	return patterns
}

func (r reader) limits(at string, entries []limitEntry) []bound {
	bounds := make([]bound, 0, len(entries))
	for i, e := range entries {
		place := fmt.Sprintf("%s[%d]", at, i)
		if e.Class != callers.Everything && !slices.Contains(r.table.Classes(), e.Class) {
			r.in.Faultf(place+".class", "%q is none of %s, %q", e.Class, strings.Join(r.table.Classes(), ", "), callers.Everything)
		}
		rate, err := parseRate(e.Rate, e.Burst)
		if err != nil {
			r.in.Faultf(place+".rate", "%v", err)
		}
		if slices.ContainsFunc(bounds, func(b bound) bool { return b.class == e.Class && overlap(b.accounts, e.Accounts) }) {
			r.in.Faultf(place+".class", "%q has a limit already, for the same accounts", e.Class)
		}
		bounds = append(bounds, bound{class: e.Class, accounts: e.Accounts, rate: rate})
	}
	return bounds
}

// overlap reports whether two lists of accounts, of which an empty one means all, have one in common.
func overlap(a, b callers.Names) bool {
	if len(a) == 0 || len(b) == 0 || a.All() || b.All() {
		return true
	}
	return slices.ContainsFunc(a, b.Has)
}

func (r reader) allowances(at string, entries []dailyEntry) map[string]allowance {
	allowances := map[string]allowance{}
	for i, entry := range entries {
		place := fmt.Sprintf("%s[%d]", at, i)
		e, ok := r.table.Entry(entry.Path)
		if !ok {
			r.in.Faultf(place+".path", "%q is not listed in the endpoint table; write a path such as /cgi-bin/message/custom/send", entry.Path)
		}
		if _, twice := allowances[e.Path]; ok && twice {
			r.in.Faultf(place+".path", "%q has a daily allowance already", entry.Path)
		}
		a := allowance{calls: entry.Calls}
		if entry.Share != "" {
			var err error
			if a.share, err = parseShare(entry.Share); err != nil {
				r.in.Faultf(place+".share", "%v", err)
			}
		}
		if entry.Calls < 0 || (entry.Calls == 0 && entry.Share == "") {
			r.in.Faultf(place, "neither calls nor share says how much; write calls: 1000, or share: 30%%")
		}
		allowances[e.Path] = a
	}
	return allowances
}

// maxCalls keeps the arithmetic of the buckets exact.
const maxCalls = 1_000_000

// parseRate reads a rate such as 20/s.
func parseRate(text string, burst int) (limit.Rate, error) {
	number, unit, _ := strings.Cut(text, "/")
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	calls, err := strconv.Atoi(number)
	if err != nil || !known || calls < 1 || calls > maxCalls {
		return limit.Rate{}, fmt.Errorf("%q is no rate; write calls per second, minute or hour, like 20/s, 600/m or 1000/h", text)
	}
	if burst < 0 || burst > maxCalls {
		return limit.Rate{}, fmt.Errorf("burst %d is not between 1 and %d", burst, maxCalls)
	}
	if burst == 0 {
		burst = max(1, int(int64(calls)*int64(time.Second)/int64(per)))
	}
	return limit.Rate{Calls: calls, Per: per, Burst: burst}, nil
}

// parseShare reads a part of a whole such as 30%.
func parseShare(text string) (limit.Permille, error) {
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !ok || percent < 0.1 || percent > 100 {
		return 0, fmt.Errorf("%q is no share; write a percentage like 30%%", text)
	}
	return limit.Permille(percent * 10), nil
}
