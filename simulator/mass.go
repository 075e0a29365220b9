package simulator

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// massMessage is the body of a mass message (群发) or of its preview: in place of
// touser, sendall has a filter. The content is written as in a customer-service
// message, but for pictures and videos.
type massMessage struct {
	customMessage

	ToUsers json.RawMessage `json:"touser"` // One OpenID, or a list of them.
	ToName  string          `json:"towxname"`
	Filter  *struct {
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
func (m massMessage) massLine(known knownMedia) (ChatEntry, errcode.Code) {
	switch m.MsgType {
	case "text", media.Voice, "mpnews", "wxcard":
		return m.line(known)
	case "mpvideo":
		return fileLine(m.MPVideo, media.Video, known)
	case media.Image:
		return m.imageLine(known)
	default:
		return ChatEntry{}, errcode.MessageType
	}
}

// imageLine shows the first of the pictures; the preview has a single one.
func (m massMessage) imageLine(known knownMedia) (ChatEntry, errcode.Code) {
	ids := m.Images.MediaIDs
	if m.Image.MediaID != "" {
		ids = append(ids, m.Image.MediaID)
	}
	if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return !known(id, media.Image) }) {
		return ChatEntry{}, errcode.MediaID
	}

	return ChatEntry{MediaID: ids[0]}, errcode.OK
}

func massEndpoints() map[string]endpoint {
	const base = "/cgi-bin/message/mass/"

	return map[string]endpoint{
		base + "sendall":   post((*Platform).sendToAll),
		base + "send":      post((*Platform).sendToSome),
		base + "preview":   post((*Platform).sendPreview),
		base + "get":       post((*Platform).getMassState),
		base + "delete":    post((*Platform).deleteMass),
		base + "speed/get": post((*Platform).getMassSpeed).orGet(),
		base + "speed/set": post((*Platform).setMassSpeed),
	}
}

// mass reads a mass message and the line that it makes.
func (r *apiRequest) mass() (massMessage, ChatEntry, errcode.Code) {
	var message massMessage
	if code := r.decodeText(&message); code != errcode.OK {
		return message, ChatEntry{}, code
	}
	line, code := message.massLine(r.knownOrDrafted)
	line.Side, line.Channel, line.Type = SideAccount, ChannelMass, message.MsgType

	return message, line, code
}

// knownOrDrafted is knownMedia for mass messages, which send drafts (草稿) as well.
func (r *apiRequest) knownOrDrafted(id string, kinds ...string) bool {
	return r.knownMedia(id, kinds...) || (slices.Contains(kinds, media.News) && r.state.drafts.find(id) != nil)
}

// sendToAll serves POST /cgi-bin/message/mass/sendall.
func (p *Platform) sendToAll(r *apiRequest) apiAnswer {
	message, line, code := r.mass()
	switch {
	case code != errcode.OK:
		return refuse(code)
	case message.Filter == nil:
		return refuse(errcode.Arguments)
	case !message.Filter.All && r.state.tags.Find(message.Filter.TagID) < 0:
		return refuse(errcode.TagID)
	}

	return p.sendMass(r, message, line, func(one *follower) bool { return message.Filter.All || one.tagged(message.Filter.TagID) })
}

// sendToSome serves POST /cgi-bin/message/mass/send.
func (p *Platform) sendToSome(r *apiRequest) apiAnswer {
	message, line, code := r.mass()
	if code != errcode.OK {
		return refuse(code)
	}
	var users []string
	if err := json.Unmarshal(message.ToUsers, &users); err != nil {
		return refuse(errcode.JSON)
	}
	switch {
	case len(users) < minMassUsers:
		return refuse(errcode.MassUsers)
	case len(users) > maxMassUsers:
		return refuse(errcode.OpenIDs)
	}

	return p.sendMass(r, message, line, func(one *follower) bool { return slices.Contains(users, one.openID) })
}

// sendMass reaches the chosen followers at once; MASSSENDJOBFINISH tells how many.
func (p *Platform) sendMass(r *apiRequest, message massMessage, line ChatEntry, chosen func(*follower) bool) apiAnswer {
	switch code := r.state.mass.admit(r.state.Account, message.ClientID, r.now); code {
	case errcode.OK:
	case errcode.MassTwice:
		return refuseWith(code, map[string]any{"msg_id": r.state.mass.sentAs(message.ClientID).id})
	default:
		return refuse(code)
	}
	total, filtered, sent := 0, 0, 0
	for _, known := range r.state.followers {
		if !known.following || !chosen(known) {
			continue
		}
		total++
		if known.blacklisted || !known.gets(r.state.Account, r.now) {
			continue
		}
		filtered++
		if !known.refuses {
			sent++
			p.say(known, line)
		}
	}
	job := &massJob{id: p.messages.Add(1), clientID: message.ClientID, status: massSent, sent: r.now}
	r.state.mass.jobs.add(job)
	p.report(r.state, Push{Event: "MASSSENDJOBFINISH", Fields: map[string]string{
		"MsgID": formatID(job.id), "Status": "send success", "TotalCount": strconv.Itoa(total), "FilterCount": strconv.Itoa(filtered),
		"SentCount": strconv.Itoa(sent), "ErrorCount": strconv.Itoa(filtered - sent),
	}})

	return answerOK(map[string]any{"msg_id": job.id, "msg_data_id": job.id})
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// sendPreview serves POST /cgi-bin/message/mass/preview to an OpenID. The simulator's
// followers have no WeChat names.
func (p *Platform) sendPreview(r *apiRequest) apiAnswer {
	message, line, code := r.mass()
	if code != errcode.OK {
		return refuse(code)
	}
	var user string
	if err := json.Unmarshal([]byte(cmp.Or(string(message.ToUsers), `""`)), &user); err != nil {
		return refuse(errcode.JSON)
	}
	if user == "" && message.ToName != "" {
		return refuse(errcode.UserName)
	}
	known, code := r.recipient(user)
	if code != errcode.OK {
		return refuse(code)
	}
	p.say(known, line)

	return answerSent("msg_id", p.messages.Add(1))
}

// massJob finds the mass message that a call is about, whose id is a number or its digits as text.
func (r *apiRequest) massJob() (*massJob, errcode.Code) {
	var asked struct {
		ID json.RawMessage `json:"msg_id"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return nil, code
	}
	found := r.state.mass.find(strings.Trim(string(asked.ID), `"`))
	if found == nil {
		return nil, errcode.Arguments
	}

	return found, errcode.OK
}

// getMassState serves POST /cgi-bin/message/mass/get.
func (p *Platform) getMassState(r *apiRequest) apiAnswer {
	job, code := r.massJob()
	if code != errcode.OK {
		return refuse(code)
	}

	return answer(map[string]any{"msg_id": job.id, "msg_status": job.status})
}

// deleteMass serves POST /cgi-bin/message/mass/delete. What followers have read stays in their chats.
func (p *Platform) deleteMass(r *apiRequest) apiAnswer {
	job, code := r.massJob()
	if code == errcode.OK {
		job.status = massDeleted
	}

	return refuse(code)
}

// massSpeeds are how many messages a minute each speed means, in units of 10,000.
var massSpeeds = [maxMassSpeed + 1]int{80, 60, 45, 30, 10}

// getMassSpeed serves GET and POST /cgi-bin/message/mass/speed/get.
func (p *Platform) getMassSpeed(r *apiRequest) apiAnswer {
	return answer(map[string]int{"speed": r.state.mass.speed, "realspeed": massSpeeds[r.state.mass.speed]})
}

// setMassSpeed serves POST /cgi-bin/message/mass/speed/set.
func (p *Platform) setMassSpeed(r *apiRequest) apiAnswer {
	var asked struct {
		Speed *int `json:"speed"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}
	switch {
	case asked.Speed == nil:
		return refuse(errcode.SpeedMissing)
	case *asked.Speed < 0 || *asked.Speed > maxMassSpeed:
		return refuse(errcode.Speed)
	}
	r.state.mass.speed = *asked.Speed

	return refuse(errcode.OK)
}
