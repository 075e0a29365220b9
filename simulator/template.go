package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
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

// maxTemplates is how many templates an account may have (community knowledge).
const maxTemplates = 25

// templateBook holds the templates of an account and its industries (所属行业).
type templateBook struct {
	templates  []messageTemplate
	added      int
	industries [2]string
}

func newTemplateBook() *templateBook {
	return &templateBook{templates: []messageTemplate{builtInTemplate()}, industries: [2]string{"1", "2"}}
}

func (b *templateBook) find(id string) int {
	return slices.IndexFunc(b.templates, func(one messageTemplate) bool { return one.ID == id })
}

// add makes a template as if it were in WeChat's library under a short id.
func (b *templateBook) add(short string, keywords []string) (string, errcode.Code) {
	switch {
	case short == "":
		return "", errcode.TemplateID
	case len(b.templates) >= maxTemplates:
		return "", errcode.TemplateCount
	}
	b.added++
	created := builtInTemplate()
	created.ID, created.Title = fmt.Sprintf("TEMPLATE_%034d", b.added+1), "模板 "+short
	if len(keywords) > 0 {
		created.Content = ""
		for number, keyword := range keywords {
			created.Content += fmt.Sprintf("%s：{{keyword%d.DATA}}\n", keyword, number+1)
		}
	}
	b.templates = append(b.templates, created)

	return created.ID, errcode.OK
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
func (m templateMessage) values() (map[string]string, errcode.Code) {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(m.Data, &entries); err != nil || entries == nil {
		return nil, errcode.JSON
	}
	values := make(map[string]string, len(entries))
	for key, entry := range entries {
		var one struct {
			Value *string `json:"value"`
		}
		if err := json.Unmarshal(entry, &one); err != nil || one.Value == nil {
			return nil, errcode.TemplateValue
		}
		values[key] = *one.Value
	}

	return values, errcode.OK
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
		"/cgi-bin/template/api_add_template":         post((*Platform).addTemplate),
		"/cgi-bin/template/del_private_template":     post((*Platform).deleteTemplate),
		"/cgi-bin/template/api_set_industry":         post((*Platform).setIndustry),
		"/cgi-bin/template/get_industry":             get((*Platform).getIndustry),
	}
}

// listTemplates serves GET /cgi-bin/template/get_all_private_template.
func (p *Platform) listTemplates(r *apiRequest) apiAnswer {
	return answer(map[string]any{"template_list": append([]messageTemplate{}, r.state.templates.templates...)})
}

// addTemplate serves POST /cgi-bin/template/api_add_template: every short id is in the library.
func (p *Platform) addTemplate(r *apiRequest) apiAnswer {
	var asked struct {
		Short    string   `json:"template_id_short"`
		Keywords []string `json:"keyword_name_list"`
	}
	if code := r.decodeText(&asked); code != errcode.OK {
		return refuse(code)
	}
	id, code := r.state.templates.add(asked.Short, asked.Keywords)
	if code != errcode.OK {
		return refuse(code)
	}

	return answerOK(map[string]any{"template_id": id})
}

// deleteTemplate serves POST /cgi-bin/template/del_private_template.
func (p *Platform) deleteTemplate(r *apiRequest) apiAnswer {
	var asked struct {
		ID string `json:"template_id"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	position := r.state.templates.find(asked.ID)
	if position < 0 {
		return refuse(errcode.TemplateID)
	}
	r.state.templates.templates = slices.Delete(r.state.templates.templates, position, position+1)

	return refuse(errcode.OK)
}

// setIndustry serves POST /cgi-bin/template/api_set_industry.
func (p *Platform) setIndustry(r *apiRequest) apiAnswer {
	var asked struct {
		First  numericID `json:"industry_id1"`
		Second numericID `json:"industry_id2"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	r.state.templates.industries = [2]string{strconv.Itoa(int(asked.First)), strconv.Itoa(int(asked.Second))}

	return refuse(errcode.OK)
}

// getIndustry serves GET /cgi-bin/template/get_industry. The names of the industries are left to WeChat.
func (p *Platform) getIndustry(r *apiRequest) apiAnswer {
	industry := func(id string) map[string]string {
		return map[string]string{"first_class": "行业", "second_class": id}
	}
	chosen := r.state.templates.industries

	return answer(map[string]any{"primary_industry": industry(chosen[0]), "secondary_industry": industry(chosen[1])})
}

// sendTemplate serves POST /cgi-bin/message/template/send. A message whose
// client_msg_id the follower got lately isn't sent again; the documents promise that
// and leave the answer open, so that it is the first one's.
func (p *Platform) sendTemplate(r *apiRequest) apiAnswer {
	var message templateMessage
	if code := r.decodeText(&message); code != errcode.OK {
		return refuse(code)
	}
	recipient, code := r.recipient(message.ToUser)
	if code != errcode.OK {
		return refuse(code)
	}
	position := r.state.templates.find(message.TemplateID)
	if position < 0 {
		return refuse(errcode.TemplateID)
	}
	if message.Program.AppID == "" && message.Program.PagePath != "" { // An empty object is none.
		return refuse(errcode.AppID)
	}
	values, code := message.values()
	if code != errcode.OK {
		return refuse(code)
	}
	if id, again := r.state.sentTemplates.repeated(message, r.now); again {
		return answerSent("msgid", id)
	}
	id := p.messages.Add(1)
	if message.ClientID != "" {
		r.state.sentTemplates[[2]string{message.ToUser, message.ClientID}] = sentTemplate{id: id, at: r.now}
	}
	status := "success"
	if recipient.refuses {
		status = "failed:user block"
	} else {
		line := ChatEntry{Side: SideAccount, Channel: ChannelTemplate, Type: "template", Text: r.state.templates.templates[position].fill(values)}
		if message.URL != "" {
			line.Text += "\n" + message.URL
		}
		p.say(recipient, line)
	}
	p.report(r.state, Push{From: recipient.openID, Event: "TEMPLATESENDJOBFINISH", Fields: map[string]string{
		"MsgID": strconv.FormatInt(id, 10), "Status": status,
	}})

	return answerSent("msgid", id)
}

// answerSent is the answer of interfaces that send: ok and a 64-bit id under its name.
func answerSent(name string, id int64) apiAnswer {
	return answerOK(map[string]any{name: id})
}
