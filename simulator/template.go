package simulator

import (
	"encoding/json"
	"maps"
	"regexp"
	"time"
)

// repeatWindow is how long WeChat recognises the client_msg_id of a template message
// (防重入id, 10 分钟).
const repeatWindow = 10 * time.Minute

// DefaultTemplateID is the template (模板) that every account has.
const DefaultTemplateID = "TEMPLATE_0000000000000000000000000000000001"

// messageTemplate is a template of the account, as get_all_private_template shows it.
type messageTemplate struct {
	ID              string `json:"template_id"`
	Title           string `json:"title"`
	PrimaryIndustry string `json:"primary_industry"`
	DeputyIndustry  string `json:"deputy_industry"`
	Content         string `json:"content"`
	Example         string `json:"example"`
}

func builtInTemplate() messageTemplate {
	return messageTemplate{
		ID: DefaultTemplateID, Title: "订单通知", PrimaryIndustry: "IT科技", DeputyIndustry: "互联网|电子商务",
		Content: "{{first.DATA}}\n订单：{{keyword1.DATA}}\n状态：{{keyword2.DATA}}\n{{remark.DATA}}",
		Example: "您好\n订单：2026010500001\n状态：已发货\n感谢您的光临",
	}
}

// placeholder is where the data of a key stands in a template.
var placeholder = regexp.MustCompile(`\{\{\s*(\w+)\.DATA\s*\}\}`)

// fill writes the data into the template. Keys that it lacks leave nothing.
func (t messageTemplate) fill(data map[string]string) string {
	return placeholder.ReplaceAllStringFunc(t.Content, func(place string) string {
		return data[placeholder.FindStringSubmatch(place)[1]]
	})
}

// templateMessage is the body of a template message (模板消息).
type templateMessage struct {
	ToUser     string          `json:"touser"`
	TemplateID string          `json:"template_id"`
	URL        string          `json:"url"`
	ClientID   string          `json:"client_msg_id"`
	Data       json.RawMessage `json:"data"`
	Program    struct {
		AppID    string `json:"appid"`
		PagePath string `json:"pagepath"`
	} `json:"miniprogram"`
}

// values reads the data: an object of objects that have a text as their value each.
func (m templateMessage) values() (map[string]string, errcode) {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(m.Data, &entries); err != nil || entries == nil {
		return nil, codeJSON
	}
	values := make(map[string]string, len(entries))
	for key, entry := range entries {
		var one struct {
			Value *string `json:"value"`
		}
		if err := json.Unmarshal(entry, &one); err != nil || one.Value == nil {
			return nil, codeTemplateValue
		}
		values[key] = *one.Value
	}

	return values, codeOK
}

// sentTemplates are the messages that bore a client_msg_id, by recipient and id.
type sentTemplates map[[2]string]sentTemplate

type sentTemplate struct {
	id int64
	at time.Time
}

// repeated returns the message that was sent with the same id lately.
func (s sentTemplates) repeated(message templateMessage, now time.Time) (int64, bool) {
	maps.DeleteFunc(s, func(_ [2]string, sent sentTemplate) bool { return now.Sub(sent.at) >= repeatWindow })
	sent, found := s[[2]string{message.ToUser, message.ClientID}]

	return sent.id, found
}

func templateEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/message/template/send":             post((*Platform).sendTemplate),
		"/cgi-bin/template/get_all_private_template": get((*Platform).listTemplates).orPost(),
	}
}

// listTemplates serves GET /cgi-bin/template/get_all_private_template.
func (p *Platform) listTemplates(*apiRequest) apiAnswer {
	return answer(map[string]any{"template_list": []messageTemplate{builtInTemplate()}})
}

// sendTemplate serves POST /cgi-bin/message/template/send. A message whose
// client_msg_id the follower got lately isn't sent again; the documents promise that
// and leave the answer open, so that it is the first one's.
func (p *Platform) sendTemplate(r *apiRequest) apiAnswer {
	var message templateMessage
	if code := r.decode(&message); code != codeOK {
		return refuse(code)
	}
	recipient, code := r.recipient(message.ToUser)
	if code != codeOK {
		return refuse(code)
	}
	if message.TemplateID != DefaultTemplateID {
		return refuse(codeTemplateID)
	}
	if message.Program.AppID == "" && message.Program.PagePath != "" { // An empty object is none.
		return refuse(codeAppID)
	}
	values, code := message.values()
	if code != codeOK {
		return refuse(code)
	}
	if id, again := r.state.templates.repeated(message, r.now); again {
		return answerSent("msgid", id)
	}
	id := p.messages.Add(1)
	if message.ClientID != "" {
		r.state.templates[[2]string{message.ToUser, message.ClientID}] = sentTemplate{id: id, at: r.now}
	}
	line := ChatEntry{Side: SideAccount, Channel: ChannelTemplate, Type: "template", Text: builtInTemplate().fill(values)}
	if message.URL != "" {
		line.Text += "\n" + message.URL
	}
	p.say(recipient, line)

	return answerSent("msgid", id)
}

// answerSent is the answer of interfaces that send: ok and a 64-bit id under its name.
func answerSent(name string, id int64) apiAnswer {
	return answer(map[string]any{"errcode": codeOK, "errmsg": codeOK.text(), name: id})
}
