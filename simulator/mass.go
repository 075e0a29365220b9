package simulator

import "slices"

// massMessage is the body of a mass message (群发) or of its preview: in place of
// touser, sendall has a filter. The content is written as in a customer-service
// message, but for pictures and videos.
type massMessage struct {
	customMessage

	ToName string `json:"towxname"`
	Filter *struct {
		All   bool `json:"is_to_all"`
		TagID int  `json:"tag_id"`
	} `json:"filter"`
	Images struct {
		MediaIDs []string `json:"media_ids"`
	} `json:"images"`
	MPVideo  customMedia `json:"mpvideo"`
	ClientID string      `json:"clientmsgid"`
}

// massLine is the line that followers see, or WeChat's refusal.
func (m massMessage) massLine(known knownMedia) (ChatEntry, errcode) {
	switch m.MsgType {
	case "text", kindVoice, "mpnews", "wxcard":
		return m.line(known)
	case "mpvideo":
		return fileLine(m.MPVideo, kindVideo, known)
	case kindImage:
		return m.imageLine(known)
	default:
		return ChatEntry{}, codeMessageType
	}
}

// imageLine shows the first of the pictures; the preview has a single one.
func (m massMessage) imageLine(known knownMedia) (ChatEntry, errcode) {
	ids := m.Images.MediaIDs
	if m.Image.MediaID != "" {
		ids = append(ids, m.Image.MediaID)
	}
	if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return !known(id, kindImage) }) {
		return ChatEntry{}, codeMediaID
	}

	return ChatEntry{MediaID: ids[0]}, codeOK
}

func massEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/message/mass/sendall": post((*Platform).sendToAll),
		"/cgi-bin/message/mass/preview": post((*Platform).sendPreview),
	}
}

// mass reads a mass message and the line that it makes.
func (r *apiRequest) mass() (massMessage, ChatEntry, errcode) {
	var message massMessage
	if code := r.decode(&message); code != codeOK {
		return message, ChatEntry{}, code
	}
	if hasUnicodeEscape(r.body) {
		return message, ChatEntry{}, codeCharset
	}
	line, code := message.massLine(r.knownMedia)
	line.Side, line.Channel, line.Type = SideAccount, ChannelMass, message.MsgType

	return message, line, code
}

// sendToAll serves POST /cgi-bin/message/mass/sendall. It reaches the followers at
// once; no MASSSENDJOBFINISH is pushed.
func (p *Platform) sendToAll(r *apiRequest) apiAnswer {
	message, line, code := r.mass()
	switch {
	case code != codeOK:
		return refuse(code)
	case message.Filter == nil:
		return refuse(codeArguments)
	case !message.Filter.All && r.state.tags.find(message.Filter.TagID) < 0:
		return refuse(codeTagID)
	}
	if message.ClientID != "" {
		if slices.Contains(r.state.massIDs.values, message.ClientID) {
			return refuse(codeMassTwice)
		}
		r.state.massIDs.add(message.ClientID)
	}
	for _, known := range r.state.followers {
		if known.following && (message.Filter.All || known.tagged(message.Filter.TagID)) {
			p.say(known, line)
		}
	}

	return answerSent("msg_id", p.messages.Add(1))
}

// sendPreview serves POST /cgi-bin/message/mass/preview to an OpenID. The simulator's
// followers have no WeChat names.
func (p *Platform) sendPreview(r *apiRequest) apiAnswer {
	message, line, code := r.mass()
	if code != codeOK {
		return refuse(code)
	}
	if message.ToUser == "" && message.ToName != "" {
		return refuse(codeUserName)
	}
	known, code := r.recipient(message.ToUser)
	if code != codeOK {
		return refuse(code)
	}
	p.say(known, line)

	return answerSent("msg_id", p.messages.Add(1))
}
