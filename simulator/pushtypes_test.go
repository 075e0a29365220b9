package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
	"github.com/wxstack/wxstack/simulator/internal/verdict"
	"github.com/wxstack/wxstack/wechat/msgcrypt"
	"github.com/wxstack/wxstack/wechat/signature"
)

// receivedPush is a push as an account's server understood it.
type receivedPush struct {
	path     string
	query    map[string]string
	json     bool
	outer    catalog.Element // The body.
	document catalog.Element // What was inside, or the body itself.
}

// server is an account's server that checks what a careful one does, with code that isn't the simulator's.
type accountServer struct {
	t      *testing.T
	cipher *msgcrypt.Cipher
	token  string
	answer func(receivedPush) string
	seen   chan receivedPush
}

func newAccountServer(t *testing.T, account Account, answer func(receivedPush) string) *accountServer {
	t.Helper()
	cipher, err := msgcrypt.New(account.AppID, account.CallbackToken, account.EncodingAESKey)
	if err != nil {
		t.Fatal(err)
	}

	return &accountServer{t: t, cipher: cipher, token: account.CallbackToken, answer: answer, seen: make(chan receivedPush, 1000)}
}

func (s *accountServer) start() string {
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)

	return server.URL
}

func (s *accountServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	got := receivedPush{path: r.URL.Path, query: make(map[string]string), json: r.Header.Get("Content-Type") == "application/json"}
	for name, values := range r.URL.Query() {
		got.query[name] = values[0]
	}
	if !signature.Verify(got.query["signature"], s.token, got.query["timestamp"], got.query["nonce"]) {
		s.t.Error("the signature is wrong")
	}
	got.outer = s.parse(body, got.json)
	got.document = got.outer
	if got.query["encrypt_type"] == "aes" {
		opened, err := s.cipher.Open(got.query["msg_signature"], got.query["timestamp"], got.query["nonce"], got.outer.Value("Encrypt"))
		if err != nil {
			s.t.Error(err)
		}
		got.document = s.parse(opened, got.json)
	}
	s.seen <- got
	_, _ = io.WriteString(w, s.answer(got))
}

func (s *accountServer) parse(data []byte, isJSON bool) catalog.Element {
	parse := catalog.ParseXML
	if isJSON {
		parse = catalog.ParseJSON
	}
	element, err := parse(data)
	if err != nil {
		s.t.Errorf("%v: %s", err, data)
	}

	return element
}

func success(receivedPush) string { return verdict.SuccessBody }

// Everything that WeChat pushes, in every mode and format, arrives as it was recorded.
func TestEveryTypeIsPushed(t *testing.T) {
	t.Parallel()
	server := newAccountServer(t, DefaultAccount(), success)
	address := server.start()
	for _, mode := range []Mode{ModePlain, ModeCompatible, ModeSafe} {
		for _, format := range []Format{FormatXML, FormatJSON} {
			t.Run(fmt.Sprintf("%s, %s", mode, format), func(t *testing.T) {
				platform := Start(t)
				for _, entry := range platform.Types() {
					if entry.Kind == catalog.KindNotice {
						continue
					}
					fields := make(map[string]string)
					for _, field := range entry.Fields {
						fields[field.Path] = field.Sample
					}
					result, err := platform.Push(t.Context(), Push{
						Type: Type(entry.MsgType), Event: entry.Event, Fields: fields, Mode: mode, Format: format, URL: address,
					})
					if err != nil || result.Outcome != OutcomeSilent {
						t.Errorf("%s: outcome %s, error %v", entry.Name, result.Outcome, err)

						continue
					}
					checkReceived(t, entry, <-server.seen, format)
				}
			})
		}
	}
}

// checkReceived compares what arrived with the entry's sample.
func checkReceived(t *testing.T, entry PushType, got receivedPush, format Format) {
	t.Helper()
	if got.json != (format == FormatJSON) {
		t.Errorf("%s: arrived as JSON: %t", entry.Name, got.json)
	}
	document := &got.document
	if entry.Kind == catalog.KindMessage && document.Value("MsgId") == "" {
		t.Errorf("%s has no MsgId", entry.Name)
	}
	if document.Value("ToUserName") != DefaultAccount().OriginalID || document.Value("MsgType") != entry.MsgType || document.Value("Event") != entry.Event {
		t.Errorf("%s arrived as %s", entry.Name, document.XML())
	}
	for _, field := range entry.Fields {
		if got, want := valueAt(document, field.Path, format), field.Sample; got != want {
			t.Errorf("%s: %s = %q, want %q", entry.Name, field.Path, got, want)
		}
	}
}

// valueAt is the value at a path of a document that arrived. In JSON the lists of subscription messages stand in the root.
func valueAt(document *catalog.Element, path string, format Format) string {
	names := strings.Split(path, "/")
	if format == FormatJSON && strings.HasPrefix(names[0], "SubscribeMsg") {
		names = names[1:]
	}
	for _, name := range names {
		number := 1
		if _, err := fmt.Sscanf(name[max(strings.Index(name, "["), 0):], "[%d]", &number); err == nil {
			name, _, _ = strings.Cut(name, "[")
		}
		var found *catalog.Element
		for position := range document.Children {
			if child := &document.Children[position]; child.Name == name {
				if number--; number == 0 {
					found = child
				}
			}
		}
		if found == nil {
			return "(missing)"
		}
		document = found
	}

	return document.Text
}

// TestPushedFilesAreMaterial: the MediaId of a message is good for a reply and for media/get (reply.md section 3).
func TestPushedFilesAreMaterial(t *testing.T) {
	t.Parallel()
	for kind, element := range map[Type]string{TypeImage: "Image", TypeVoice: "Voice", TypeVideo: "Video"} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			account := DefaultAccount()
			server := newAccountServer(t, account, func(got receivedPush) string {
				return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>1</CreateTime>"+
					"<MsgType>%s</MsgType><%s><MediaId>%s</MediaId></%[4]s></xml>",
					DefaultFollower, account.OriginalID, kind, element, got.document.Value("MediaId"))
			})
			platform := Start(t)
			result, err := platform.Push(t.Context(), Push{Type: kind, Mode: ModePlain, URL: server.start()})
			if err != nil || result.Outcome != OutcomeShown || result.Shown[0].MediaID == "" {
				t.Fatalf("outcome %s (%s), error %v", result.Outcome, result.Deliveries[0].Reason, err)
			}
			got := <-server.seen
			sent := platform.Chat(DefaultFollower)[0]
			if sent.Type != string(kind) || sent.MediaID != result.Shown[0].MediaID {
				t.Errorf("the chat has %+v, the reply %+v", sent, result.Shown[0])
			}
			for _, id := range []string{got.document.Value("MediaId"), got.document.Value("ThumbMediaId"), got.document.Value("MediaId16K")} {
				if item := platform.anyMedia(id); id != "" && item == nil {
					t.Errorf("%s is no material", id)
				}
			}
			if kind == TypeVideo && got.document.Value("ThumbMediaId") == "" {
				t.Error("a video has no picture")
			}
		})
	}
}

// What the follower did is in the chat; what WeChat reports is not, and doesn't make anybody follow.
func TestFollowersLines(t *testing.T) {
	t.Parallel()
	server := newAccountServer(t, DefaultAccount(), success)
	address := server.start()
	platform := Start(t)
	cases := map[string]struct {
		push Push
		want *ChatEntry
	}{
		"location": {
			Push{Type: TypeLocation, Fields: map[string]string{"Label": "北京", "Location_X": "39.9", "Location_Y": "116.4"}},
			&ChatEntry{Side: SideFollower, Type: "location", Text: "北京", Position: &Position{39.9, 116.4}},
		},
		"link": {
			Push{Type: TypeLink, Fields: map[string]string{"Title": "标题", "Description": "描述", "Url": "https://example.com/"}},
			&ChatEntry{Side: SideFollower, Type: "link", Articles: []Article{{Title: "标题", Description: "描述", URL: "https://example.com/"}}},
		},
		"file":   {Push{Type: "file"}, &ChatEntry{Side: SideFollower, Type: "file", Text: "report.zip"}},
		"scan":   {Push{Type: TypeEvent, Event: "scancode_waitmsg", EventKey: "K"}, &ChatEntry{Side: SideEvent, Type: "scancode_waitmsg", Text: "K"}},
		"result": {Push{Type: TypeEvent, Event: "MASSSENDJOBFINISH"}, nil},
		"own XML": {
			Push{XML: "<xml><ToUserName>gh</ToUserName><FromUserName>oOWNXML</FromUserName><MsgType>text</MsgType><Content>自己写的</Content></xml>"},
			&ChatEntry{Side: SideFollower, Type: "text", Text: "自己写的"},
		},
		"own JSON": {
			Push{XML: `{"ToUserName":"gh","FromUserName":"oOWNJSON","MsgType":"event","Event":"CLICK","EventKey":"K","MsgId":1}`},
			&ChatEntry{Side: SideEvent, Type: "CLICK", Text: "K"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			push := test.push
			push.From, push.URL = "oLINES_"+strings.ReplaceAll(name, " ", "_"), address
			if push.XML != "" {
				push.From = ""
			}
			result, err := platform.Push(t.Context(), push)
			if err != nil || result.Outcome != OutcomeSilent {
				t.Fatalf("outcome %s, error %v", result.Outcome, err)
			}
			chat := platform.Chat(result.From)
			if test.want == nil {
				if len(chat) != 0 {
					t.Errorf("the chat has %+v", chat)
				}

				return
			}
			if len(chat) != 1 {
				t.Fatalf("the chat has %d lines", len(chat))
			}
			got := chat[0]
			got.ID, got.Time = 0, test.want.Time
			if diff := cmp.Diff(*test.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// A document of the caller's own goes out as it is, whatever is in it.
func TestOwnDocumentsGoOutAsTheyAre(t *testing.T) {
	t.Parallel()
	var bodies []string
	platform := startAccount(t, ModePlain, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Header.Get("Content-Type")+" "+string(body))
	})
	own := []string{"<xml>\n <FromUserName>oOWN000</FromUserName><Strange a>1</Strange></xml>", "\n<xml><FromUserName>oOWN000</FromUserName><Strange>1</Strange>\n</xml>\n", `{"FromUserName":"oOWN000","Strange":[1]}`}
	for _, text := range own {
		_, err := platform.Push(t.Context(), Push{XML: text})
		if bad := text == own[0]; (err != nil) != bad {
			t.Errorf("%s: error %v", text, err)
		}
	}
	if diff := cmp.Diff([]string{"text/xml " + own[1], "application/json " + own[2]}, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

// Replies in the format JSON (reply.md section 5), and what an account in the format XML makes of them.
func TestRepliesInJSON(t *testing.T) {
	t.Parallel()
	account := DefaultAccount()
	text := fmt.Sprintf(`{"ToUserName":%q,"FromUserName":%q,"CreateTime":1700000000,"MsgType":"text","Content":"好"}`, DefaultFollower, account.OriginalID)
	news := fmt.Sprintf(`{"ToUserName":%q,"FromUserName":%q,"CreateTime":"1700000000","MsgType":"news","ArticleCount":1,"Articles":`, DefaultFollower, account.OriginalID)
	sealed := func(got receivedPush, server *accountServer, reply string) string {
		envelope, err := server.cipher.Seal([]byte(reply), got.query["timestamp"], got.query["nonce"])
		if err != nil {
			t.Error(err)
		}

		return fmt.Sprintf(`{"Encrypt":%q,"MsgSignature":%q,"TimeStamp":%s,"Nonce":%q}`, envelope.Encrypt, envelope.MsgSignature, envelope.TimeStamp, envelope.Nonce)
	}
	cases := map[string]struct {
		mode    Mode
		format  Format
		reply   string
		seal    bool
		outcome Outcome
	}{
		"plain":              {ModePlain, FormatJSON, text, false, OutcomeShown},
		"sealed":             {ModeSafe, FormatJSON, text, true, OutcomeShown},
		"clear in safe mode": {ModeSafe, FormatJSON, text, false, OutcomeFailed},
		"news as an array":   {ModePlain, FormatJSON, news + `[{"Title":"t"}]}`, false, OutcomeShown},
		"news as in XML":     {ModePlain, FormatJSON, news + `{"item":[{"Title":"t"}]}}`, false, OutcomeShown},
		"format XML":         {ModePlain, FormatXML, text, false, OutcomeFailed},
		"broken":             {ModePlain, FormatJSON, text[:20], false, OutcomeFailed},
		"success":            {ModeSafe, FormatJSON, "success", false, OutcomeSilent},
		"XML as well":        {ModePlain, FormatJSON, plainReply("好"), false, OutcomeShown},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var server *accountServer
			server = newAccountServer(t, account, func(got receivedPush) string {
				if test.seal {
					return sealed(got, server, test.reply)
				}

				return test.reply
			})
			result, err := Start(t).Push(t.Context(), Push{Content: "x", Mode: test.mode, Format: test.format, URL: server.start()})
			if err != nil || result.Outcome != test.outcome {
				t.Errorf("outcome %s (%s), error %v", result.Outcome, result.Deliveries[0].Reason, err)
			}
		})
	}
}

// An account that has authorised a third-party platform (第三方平台) speaks through the platform's server: crypto.md, vector C.
func TestMessagesOfAnAuthorizerGoToItsPlatform(t *testing.T) {
	t.Parallel()
	component := DefaultAccount()
	component.AppID, component.AppSecret, component.CallbackToken = componentID, componentSecret, "component-token"
	component.EncodingAESKey = strings.Repeat("B", 43)
	server := newAccountServer(t, component, success)
	own := newAccountServer(t, DefaultAccount(), success)
	platform := startComponent(t, "")
	component.Kind, component.OriginalID, component.MessageURL = KindPlatform, "", server.start()+"/$APPID$/callback"
	component.CallbackURL = server.start() + "/notices"
	if err := platform.SetAccount(component); err != nil {
		t.Fatal(err)
	}
	if err := platform.SetCallback("", own.start(), ModePlain); err != nil {
		t.Fatal(err)
	}
	push := func() {
		t.Helper()
		if result, err := platform.Push(t.Context(), Push{Content: "你好"}); err != nil || result.Outcome != OutcomeSilent {
			t.Fatalf("outcome %s, error %v", result.Outcome, err)
		}
	}
	push()
	if got := <-own.seen; got.path != "/" {
		t.Errorf("before the authorisation the message went to %s", got.path)
	}
	preAuth := field(t, ask(t, platform, "api_create_preauthcode", componentToken(t, platform), map[string]string{"component_appid": componentID}), "pre_auth_code")
	code, err := platform.Authorize(componentID, preAuth, DefaultAppID)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, platform, "api_query_auth", componentToken(t, platform), map[string]string{"component_appid": componentID, "authorization_code": code})
	if _, err := platform.Push(t.Context(), Push{XML: `{"FromUserName":"oX00000"}`}); !errors.Is(err, ErrInvalid) {
		t.Errorf("JSON for a third-party platform: %v", err)
	}
	push()
	got := <-server.seen
	if got.path != "/"+DefaultAppID+"/callback" || got.document.Value("Content") != "你好" || got.query["encrypt_type"] != "aes" || got.outer.Value("Content") != "" {
		t.Errorf("the platform got %+v", got)
	}
	if err := platform.Unauthorize(componentID, DefaultAppID); err != nil {
		t.Fatal(err)
	}
	push()
	if len(own.seen) != 1 {
		t.Error("after the withdrawal the message didn't go to the account's own server")
	}
}

// All notices reach the platform, sealed, and success is the only answer.
func TestEveryNoticeIsPushed(t *testing.T) {
	t.Parallel()
	component := DefaultAccount()
	component.AppID = componentID
	answer := verdict.SuccessBody
	server := newAccountServer(t, component, func(receivedPush) string { return answer })
	platform := startComponent(t, server.start())
	for _, entry := range platform.Types() {
		if entry.Kind != catalog.KindNotice {
			continue
		}
		result, err := platform.Push(t.Context(), Push{Account: componentID, InfoType: entry.InfoType})
		if err != nil || result.Outcome != OutcomeSilent {
			t.Errorf("%s: outcome %s, error %v", entry.Name, result.Outcome, err)
		}
		got := <-server.seen
		if got.document.Value("InfoType") != entry.InfoType || got.document.Value("AppId") != componentID || got.outer.Value("AppId") != componentID || got.query["openid"] != "" {
			t.Errorf("%s arrived as %+v", entry.Name, got)
		}
		for _, secret := range []string{"ComponentVerifyTicket", "AuthorizationCode"} {
			if value := got.document.Value(secret); value != "" && strings.Contains(platform.Pushes(1)[0].Clear, value) {
				t.Errorf("the record of %s shows the %s", entry.Name, secret)
			}
		}
	}
	answer = ""
	if result, err := platform.Push(t.Context(), Push{Account: componentID, InfoType: "unauthorized"}); err != nil || result.Outcome != OutcomeSilent {
		t.Errorf("an empty answer: outcome %s, error %v", result.Outcome, err)
	}
	answer = "ok"
	if result, err := platform.Push(t.Context(), Push{Account: componentID, InfoType: "unauthorized"}); err != nil || result.Outcome != OutcomeFailed {
		t.Errorf("another answer: outcome %s, error %v", result.Outcome, err)
	}
}

// Accounts can be added and changed while the platform runs.
func TestSetAccount(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	second := Account{AppID: "wx0000000000000002", OriginalID: "gh_2", CallbackToken: "t2", EncodingAESKey: strings.Repeat("C", 43), AppSecret: "s2", Format: FormatJSON}
	server := newAccountServer(t, second, success)
	body := fmt.Sprintf(`{"app_id":%q,"original_id":%q,"callback_token":%q,"encoding_aes_key":%q,"app_secret":%q,"format":"json","callback_url":%q}`,
		second.AppID, second.OriginalID, second.CallbackToken, second.EncodingAESKey, second.AppSecret, server.start())
	post := func(body string) (int, string) {
		status, answer := request(t, http.MethodPost, platform.URL()+"/sim/v1/accounts", body)

		return status, string(answer)
	}
	if status, answer := post(body); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	if _, err := platform.Push(t.Context(), Push{Account: second.AppID, Content: "一"}); err != nil {
		t.Fatal(err)
	}
	if got := <-server.seen; !got.json || got.document.Value("ToUserName") != "gh_2" {
		t.Errorf("arrived as %+v", got)
	}
	if status, answer := post(`{"app_id":"wx0000000000000002","mode":"plain","format":"xml"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	if _, err := platform.Push(t.Context(), Push{Account: second.AppID, Content: "二"}); err != nil {
		t.Fatal(err)
	}
	if got := <-server.seen; got.json || got.query["encrypt_type"] != "" {
		t.Errorf("after the change it arrived as %+v", got)
	}
	if chat := platform.Chat(DefaultFollower); len(chat) != 2 {
		t.Errorf("the chat has %d lines, a change must keep it", len(chat))
	}
	for body, want := range map[string]string{
		`{"app_id":"wx0000000000000002","encoding_aes_key":"short"}`: "5 characters",
		`{"app_id":"wx0000000000000002","kind":"work"}`:              "can't change",
		`{"app_id":"wx0000000000000003"}`:                            "OriginalID must be set",
		`{"app_id":"wx0000000000000002","format":"yaml"}`:            "use xml or json",
		`{"app_id":"wx0000000000000002","callback_url":"nowhere"}`:   "must be like http://host/path",
	} {
		if status, answer := post(body); status != http.StatusBadRequest || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %q", body, status, answer, want)
		}
	}
}

// A push is listed while its deliveries go on, with those that there have been.
func TestPendingPushes(t *testing.T) {
	t.Parallel()
	inside, finish := make(chan struct{}), make(chan struct{})
	platform := startAccount(t, ModePlain, func(w http.ResponseWriter, _ *http.Request) {
		inside <- struct{}{}
		<-finish
		_, _ = io.WriteString(w, "success")
	})
	done := make(chan PushResult)
	go func() {
		result, err := platform.Push(t.Context(), Push{Content: "x"})
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	<-inside // The second delivery: the first one's time is over, and it was listed.
	<-inside
	pending := platform.PendingPushes()
	if len(pending) != 1 || pending[0].Outcome != OutcomePending || len(pending[0].Deliveries) != 1 || pending[0].Deliveries[0].TimeoutMS != milliseconds(testTimeout) {
		t.Errorf("pending: %+v", pending)
	}
	go func() {
		for range inside { // Whatever else is delivered.
		}
	}()
	close(finish)
	result := <-done
	close(inside)
	if got := platform.PendingPushes(); len(got) != 0 {
		t.Errorf("after its end %d are pending", len(got))
	}
	if result.Outcome == OutcomePending {
		t.Error("the result is pending")
	}
}

// The explanation of a delivery is of that delivery, and shows secrets only when asked.
func TestExplainPush(t *testing.T) {
	t.Parallel()
	account := DefaultAccount()
	var server *accountServer
	server = newAccountServer(t, account, func(got receivedPush) string {
		envelope, err := server.cipher.Seal([]byte(plainReply("好")), got.query["timestamp"], got.query["nonce"])
		if err != nil {
			t.Error(err)
		}

		return fmt.Sprintf("<xml><Encrypt>%s</Encrypt><MsgSignature>%s</MsgSignature><TimeStamp>%s</TimeStamp><Nonce>%s</Nonce></xml>",
			envelope.Encrypt, envelope.MsgSignature, envelope.TimeStamp, envelope.Nonce)
	})
	platform := Start(t)
	result, err := platform.Push(t.Context(), Push{Content: "x", Mode: ModeSafe, URL: server.start()})
	if err != nil || result.Outcome != OutcomeShown {
		t.Fatalf("outcome %s, error %v", result.Outcome, err)
	}
	explained := func(query string) (int, string) {
		status, answer := request(t, http.MethodGet, fmt.Sprintf("%s/sim/v1/pushes/%s", platform.URL(), query), "")

		return status, string(answer)
	}
	status, answer := explained(fmt.Sprintf("%d/explain", result.ID))
	if status != http.StatusOK || strings.Contains(answer, `"ok":false`) || strings.Contains(answer, account.CallbackToken) {
		t.Errorf("%d %s", status, answer)
	}
	for _, part := range []string{"signature", "msg_signature", "decryption", "reply"} {
		if !strings.Contains(answer, `"part":"`+part+`"`) {
			t.Errorf("no part %s in %s", part, answer)
		}
	}
	if _, answer := explained(fmt.Sprintf("%d/explain?reveal=true", result.ID)); !strings.Contains(answer, account.CallbackToken) {
		t.Errorf("nothing was revealed: %s", answer)
	}
	for query, want := range map[string]string{
		"x/explain": "must be a number", "999999/explain": "no longer remembered",
		fmt.Sprintf("%d/explain?attempt=2", result.ID): "no attempt 2", fmt.Sprintf("%d/explain?attempt=x", result.ID): "must be a number",
	} {
		if status, answer := explained(query); status != http.StatusBadRequest || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %q", query, status, answer, want)
		}
	}
}

// GET /sim/v1/types is what forms are made of.
func TestTypesOverHTTP(t *testing.T) {
	t.Parallel()
	platform := Start(t)
	_, body := request(t, http.MethodGet, platform.URL()+"/sim/v1/types", "")
	var answer struct {
		Types []struct {
			Name, Kind, Title, Group string
			TitleEn                  string `json:"title_en"`
			MsgType                  string `json:"msg_type"`
			Fields                   []struct {
				Path, Sample string
				Number       bool
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]int)
	for _, one := range answer.Types {
		names[one.Kind]++
		if one.Name == "location" && (one.Title != "位置" || one.TitleEn != "Location" || one.Fields[0].Path != "Location_X" || !one.Fields[0].Number) {
			t.Errorf("location is %+v", one)
		}
	}
	if diff := cmp.Diff([]string{"event", "message", "notice"}, slices.Sorted(maps.Keys(names))); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

// A place that is none doesn't hide the chat, which is shown as JSON.
func TestPlacesThatAreNone(t *testing.T) {
	t.Parallel()
	platform := startAccount(t, ModePlain, answerWith(verdict.SuccessBody))
	for _, x := range []string{"NaN", "-Inf", "1e999", "north", ""} {
		document := "<xml><FromUserName>" + DefaultFollower + "</FromUserName><MsgType>location</MsgType><Location_X>" + x + "</Location_X></xml>"
		if _, err := platform.Push(t.Context(), Push{XML: document}); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range platform.Chat(DefaultFollower) {
		if line.Position == nil || *line.Position != (Position{}) {
			t.Errorf("the chat has %+v at %+v", line, line.Position)
		}
	}
	if _, err := json.Marshal(platform.Chat(DefaultFollower)); err != nil {
		t.Error(err)
	}
}
