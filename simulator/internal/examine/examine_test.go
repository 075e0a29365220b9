package examine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/verdict"
)

const echo = "4375120948345356249"

func right(body string) Exchange { return Exchange{Status: 200, Body: body} }

// Each case is one thing that is wrong, and what is said of it.
func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		facts    Facts
		check    string
		severity Severity
		says     string
		remedy   string
	}{
		"fine":               {Facts{Right: right(echo)}, "verify", OK, "exactly the echostr", ""},
		"unusual port":       {Facts{Address: "http://h:8080/wx", Right: right(echo)}, "port", Note, "the port is 8080", "in production"},
		"short key":          {Facts{Key: 42, Right: right(echo)}, "key", Problem, "has 42 characters, must have 43", "copy it whole"},
		"no such host":       {Facts{Right: Exchange{Failure: FailureDNS, Detail: "no such host"}}, "reach", Problem, "no such host", "DNS record"},
		"refused":            {Facts{Right: Exchange{Failure: FailureRefused}}, "reach", Problem, "refused", "is the server running"},
		"certificate":        {Facts{Right: Exchange{Failure: FailureTLS}}, "reach", Problem, "TLS", "trusted"},
		"time-out":           {Facts{Right: Exchange{Failure: FailureTimeout}, Timeout: 5 * time.Second}, "reach", Problem, "within 5s", "before doing anything else"},
		"broken":             {Facts{Right: Exchange{Failure: FailureOther}}, "reach", Problem, "broke", "log"},
		"redirect":           {Facts{Right: Exchange{Status: 301, Location: "https://h/wx/"}}, "verify", Problem, "redirects to https://h/wx/", "follows no redirects"},
		"wrong Token, 403":   {Facts{Right: Exchange{Status: 403}}, "verify", Problem, "the Tokens differ", "sorted as bytes"},
		"wrong Token, empty": {Facts{Right: right("")}, "verify", Problem, "the Tokens differ", "compare the Token"},
		"not found":          {Facts{Right: Exchange{Status: 404}}, "verify", Problem, "nothing takes a GET", "path of the URL"},
		"server error":       {Facts{Right: Exchange{Status: 502}}, "verify", Problem, "the HTTP status is 502", "log"},
		"newline":            {Facts{Right: right(echo + "\n")}, "verify", Problem, "white space", "instead of println"},
		"quotes":             {Facts{Right: right(`"` + echo + `"`)}, "verify", Problem, "in quotes", "not as JSON"},
		"BOM":                {Facts{Right: right("\uFEFF" + echo)}, "verify", Problem, "byte order mark", "without BOM"},
		"JSON":               {Facts{Right: right(`{"echostr":"` + echo + `"}`)}, "verify", Problem, "is JSON", "plain text"},
		"page":               {Facts{Right: right("<html>oops")}, "verify", Problem, "page", "error page"},
		"float":              {Facts{Right: right("4.37512094834536e+18")}, "verify", Problem, "rewritten as a number", "keep it as text"},
		"rounded":            {Facts{Right: right("4375120948345356000")}, "verify", Problem, "rewritten as a number", "keep it as text"},
		"something else":     {Facts{Right: right("hello")}, "verify", Problem, "isn't the echostr", "query parameter"},
		"no check at all":    {Facts{Right: right(echo), Wrong: &Exchange{Status: 200, Body: echo}}, "signature", Problem, "anybody can pretend", "answer 403"},
		"a check":            {Facts{Right: right(echo), Wrong: &Exchange{Status: 403}}, "signature", OK, "was refused", ""},
		"clock":              {Facts{Right: Exchange{Status: 200, Body: echo, At: now, Date: now.Add(-20 * time.Minute)}}, "clock", Problem, "-20m0s", "NTP"},
		"slow":               {Facts{Timeout: 5 * time.Second, Right: Exchange{Status: 200, Body: echo, Took: 3 * time.Second}}, "speed", Note, "took 3s", "waits 5 s"},
		"text answered":      {Facts{Right: right(echo), Pushes: []Pushed{{Mode: "safe", Verdict: verdict.Shown, Reason: verdict.Because(verdict.Replied, "text")}}}, "push_safe", OK, "answered validly", ""},
		"wrong key":          {pushed(verdict.Unopenable, "malformed encrypted message: padding"), "push_safe", Problem, "malformed", "compare the EncodingAESKey"},
		"wrong tail":         {pushed(verdict.OtherAppID), "push_safe", Problem, "another AppID", "this account's AppID"},
		"wrong MsgSignature": {pushed(verdict.BadSignature), "push_safe", Problem, "MsgSignature", "own TimeStamp"},
		"clear in safe":      {pushed(verdict.ClearInSafe), "push_safe", Problem, "clear text", "Encrypt envelope"},
		"not swapped":        {pushed(verdict.WrongTo, "gh", "o"), "push_safe", Problem, "ToUserName", "swap"},
		"403 to encrypted":   {refused(403), "push_safe", Problem, "403", "check msg_signature"},
		"403 to everything": {
			Facts{Right: Exchange{Status: 403}, Pushes: refused(403).Pushes},
			"push_safe", Problem, "403", "first mend the URL verification",
		},
		"405":                 {refused(405), "push_safe", Problem, "405", "takes a POST"},
		"500":                 {refused(500), "push_safe", Problem, "500", "caused an error"},
		"unknown reason":      {pushed(verdict.AnswerLost, "something new"), "push_safe", Problem, "something new", "log"},
		"trailing text":       {Facts{Right: right(echo + " ok")}, "verify", Problem, "isn't the echostr", "query parameter"},
		"success to all GETs": {Facts{Right: right("success"), Wrong: &Exchange{Status: 200, Body: "success"}}, "signature", Problem, "anybody can pretend", "answer 403"},
		"forged, answered":    {Facts{Right: right(echo), Pushes: []Pushed{{Mode: "safe", Verdict: verdict.Shown, Forged: verdict.Shown}}}, "forged_safe", Problem, "anybody can pretend", "msg_signature"},
		"forged, success":     {Facts{Right: right(echo), Pushes: []Pushed{{Mode: "safe", Verdict: verdict.Shown, Forged: verdict.Silent}}}, "forged_safe", Note, "can't be told", "isn't processed"},
		"forged, refused":     {Facts{Right: right(echo), Pushes: []Pushed{{Mode: "safe", Verdict: verdict.Shown, Forged: verdict.NoAnswer}}}, "forged_safe", OK, "was refused", ""},
		"repetition refused":  {Facts{Right: right(echo), Pushes: []Pushed{{Mode: "plain", Verdict: verdict.Shown, Again: verdict.NoAnswer, AgainStatus: 403}}}, "repeat", Problem, "status 403", "it is no attack"},
		"repetition answered": {Facts{Right: right(echo), Pushes: []Pushed{{Mode: "plain", Verdict: verdict.Shown, Again: verdict.Silent}}}, "repeat", OK, "answered validly", ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.facts.Echo = echo
			if test.facts.Timeout == 0 {
				test.facts.Timeout = time.Hour
			}
			findings := Judge(test.facts)
			position := slices.IndexFunc(findings, func(one Finding) bool { return one.Check == test.check })
			if position < 0 {
				t.Fatalf("nothing is said of %s: %+v", test.check, findings)
			}
			got := findings[position]
			if got.Severity != test.severity || !strings.Contains(got.TextEn, test.says) || !strings.Contains(got.RemedyEn, test.remedy) {
				t.Errorf("%+v", got)
			}
			if got.Text == "" || (got.Remedy == "") != (got.RemedyEn == "") || (got.Severity != OK) != (got.Remedy != "") {
				t.Errorf("not said in both languages: %+v", got)
			}
		})
	}
}

func pushed(code verdict.Code, values ...any) Facts {
	return Facts{Right: right(echo), Pushes: []Pushed{{Mode: "safe", Verdict: verdict.Invalid, Reason: verdict.Because(code, values...), Status: 200}}}
}

func refused(status int) Facts {
	facts := pushed(verdict.WrongStatus, status)
	facts.Pushes[0].Verdict, facts.Pushes[0].Status = verdict.NoAnswer, status

	return facts
}
