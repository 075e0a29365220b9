package simulator

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/media"
)

// maxAgents is how many agents an account has at most (客服管理).
const maxAgents = 100

// agentName is the shape of an agent's account: up to ten characters, then the account's WeChat name (完整客服账号).
var agentName = regexp.MustCompile(`^[A-Za-z0-9_]{1,10}@[A-Za-z0-9_-]{1,30}$`)

// agent is somebody who answers followers for the account (客服账号).
type agent struct {
	Account  string `json:"kf_account"`
	Nickname string `json:"kf_nick"`
	ID       int    `json:"kf_id"`
	Portrait string `json:"kf_headimgurl"`
	Invited  string `json:"invite_wx,omitempty"`
	Status   string `json:"invite_status,omitempty"`
}

// agentBook holds the agents of an account.
type agentBook struct {
	agents []agent
	lastID int
}

func newAgentBook() *agentBook { return &agentBook{lastID: 1000} }

func (b *agentBook) find(account string) int {
	return slices.IndexFunc(b.agents, func(one agent) bool { return one.Account == account })
}

// may reports whether somebody may speak for the account. Where there are no agents, anybody may: whoever tests with the
// simulator need not set them up first.
func (b *agentBook) may(account string) bool {
	return account == "" || len(b.agents) == 0 || b.find(account) >= 0
}

func agentEndpoints() map[string]endpoint {
	const base = "/customservice/kfaccount/"

	return map[string]endpoint{
		"/cgi-bin/customservice/getkflist":       get((*Platform).listAgents),
		"/cgi-bin/customservice/getonlinekflist": get((*Platform).listOnlineAgents),

		base + "add":           post(asAgent(addAgent)),
		base + "update":        post(asAgent(renameAgent)),
		base + "del":           post(asAgent(deleteAgent)).orGet(),
		base + "inviteworker":  post(asAgent(inviteAgent)),
		base + "uploadheadimg": post((*Platform).uploadPortrait),
	}
}

// listAgents serves GET /cgi-bin/customservice/getkflist (获取所有客服账号).
func (p *Platform) listAgents(r *apiRequest) apiAnswer {
	return answer(map[string]any{"kf_list": append([]agent{}, r.state.agents.agents...)})
}

// listOnlineAgents serves GET /cgi-bin/customservice/getonlinekflist. Nobody sits at the simulator's desk.
func (p *Platform) listOnlineAgents(*apiRequest) apiAnswer {
	return answer(map[string]any{"kf_online_list": []any{}})
}

// agentRequest is the body of the calls about one agent.
type agentRequest struct {
	Account  string `json:"kf_account"`
	Nickname string `json:"nickname"`
	Invited  string `json:"invite_wx"`
}

// asAgent wraps a call about one agent, whose account may also stand in the query.
func asAgent(serve func(*agentBook, agentRequest) errcode.Code) func(*Platform, *apiRequest) apiAnswer {
	return func(_ *Platform, r *apiRequest) apiAnswer {
		var asked agentRequest
		if len(r.body) > 0 || r.query.Get("kf_account") == "" {
			if code := r.decodeText(&asked); code != errcode.OK {
				return refuse(code)
			}
		}
		asked.Account = cmp.Or(asked.Account, r.query.Get("kf_account"))

		return refuse(serve(r.state.agents, asked))
	}
}

func addAgent(book *agentBook, asked agentRequest) errcode.Code {
	switch {
	case !agentName.MatchString(asked.Account):
		return errcode.AgentName
	case book.find(asked.Account) >= 0:
		return errcode.AgentTwice
	case len(book.agents) >= maxAgents:
		return errcode.AgentCount
	}
	book.lastID++
	book.agents = append(book.agents, agent{Account: asked.Account, Nickname: asked.Nickname, ID: book.lastID})

	return errcode.OK
}

func renameAgent(book *agentBook, asked agentRequest) errcode.Code {
	position := book.find(asked.Account)
	if position < 0 {
		return errcode.Agent
	}
	book.agents[position].Nickname = asked.Nickname

	return errcode.OK
}

func deleteAgent(book *agentBook, asked agentRequest) errcode.Code {
	position := book.find(asked.Account)
	if position < 0 {
		return errcode.Agent
	}
	book.agents = slices.Delete(book.agents, position, position+1)

	return errcode.OK
}

func inviteAgent(book *agentBook, asked agentRequest) errcode.Code {
	position := book.find(asked.Account)
	if position < 0 || asked.Invited == "" {
		return errcode.Agent
	}
	book.agents[position].Invited, book.agents[position].Status = asked.Invited, "waiting"

	return errcode.OK
}

// uploadPortrait serves POST /customservice/kfaccount/uploadheadimg.
func (p *Platform) uploadPortrait(r *apiRequest) apiAnswer {
	position := r.state.agents.find(r.query.Get("kf_account"))
	if position < 0 {
		return refuse(errcode.Agent)
	}
	form, code := r.upload()
	if code != errcode.OK {
		return refuse(code)
	}
	item := &media.Item{ID: p.newMediaID(), ContentType: media.ContentTypeOf(form.media), Data: form.media, Stored: r.now}
	r.state.pictures.Add(item)
	r.state.agents.agents[position].Portrait = p.pictureURL(item)

	return refuse(errcode.OK)
}
