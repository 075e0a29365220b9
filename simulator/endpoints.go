package simulator

import (
	"maps"
	"net/http"

	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// endpoint is one API of the platform.
type endpoint struct {
	method  string // GET or POST; WeChat names the right one in its refusal.
	posted  bool   // Whether POST does as well, where GET is the documented method.
	gotten  bool   // Whether GET does as well, where POST is the documented method.
	noToken bool   // Whether the call carries no access_token of the account.
	itself  bool   // Whether a third-party platform may call it for itself, with its own token.
	serve   func(*Platform, *apiRequest) apiAnswer
}

func get(serve func(*Platform, *apiRequest) apiAnswer) endpoint {
	return endpoint{method: http.MethodGet, serve: serve}
}

func post(serve func(*Platform, *apiRequest) apiAnswer) endpoint {
	return endpoint{method: http.MethodPost, serve: serve}
}

// orPost makes the endpoint one that takes POST as well as GET: SDKs in wide use
// call it so.
func (e endpoint) orPost() endpoint {
	e.posted = true

	return e
}

// takes reports whether the endpoint may be called by a method.
func (e endpoint) takes(method string) bool {
	return method == e.method || (e.posted && method == http.MethodPost) || (e.gotten && method == http.MethodGet)
}

// orGet makes the endpoint one that takes GET as well as POST.
func (e endpoint) orGet() endpoint {
	e.gotten = true

	return e
}

// withoutToken makes the endpoint one that is called without an access_token of the
// account.
func (e endpoint) withoutToken() endpoint {
	e.noToken = true

	return e
}

// orPlatform makes the endpoint one that third-party platforms call for themselves as well.
func (e endpoint) orPlatform() endpoint {
	e.itself = true

	return e
}

// endpoints are the APIs that the simulator has. Any other path is answered with
// 40066, as WeChat answers a path that it doesn't have.
func endpoints() map[string]endpoint {
	table := make(map[string]endpoint)
	for _, topic := range []map[string]endpoint{
		credentialEndpoints(), componentEndpoints(), diagnosisEndpoints(), messageEndpoints(), mediaEndpoints(),
		materialEndpoints(), templateEndpoints(), qrEndpoints(), tagEndpoints(), oauthEndpoints(), massEndpoints(), menuEndpoints(), userEndpoints(),
		agentEndpoints(), draftEndpoints(), blacklistEndpoints(), subscriptionEndpoints(), shortKeyEndpoints(), componentOAuthEndpoints(),
	} {
		maps.Copy(table, topic)
	}

	return table
}

func credentialEndpoints() map[string]endpoint {
	return map[string]endpoint{
		quota.PathClassic:           get((*Platform).getToken).withoutToken(),
		quota.PathStable:            post((*Platform).getStableToken).withoutToken(),
		"/cgi-bin/gettoken":         get((*Platform).getWorkToken).withoutToken(),
		"/cgi-bin/get_jsapi_ticket": get((*Platform).getWorkTicket),
		"/cgi-bin/ticket/get":       get((*Platform).getWorkAgentTicket),
		"/cgi-bin/ticket/getticket": get((*Platform).getTicket),
	}
}

func componentEndpoints() map[string]endpoint {
	const base = "/cgi-bin/component/"

	return map[string]endpoint{
		base + "api_component_token":     post((*Platform).getComponentToken).withoutToken(),
		base + "api_start_push_ticket":   post((*Platform).startTicketPush).withoutToken(),
		base + "api_create_preauthcode":  post(asPlatform(createPreAuthCode)).withoutToken(),
		base + "api_query_auth":          post(asPlatform(queryAuth)).withoutToken(),
		base + "api_get_authorizer_list": post(asPlatform(listAuthorizers)).withoutToken(),
		base + "api_authorizer_token":    post(asPlatform(getAuthorizerToken)).withoutToken(),
		base + "api_get_authorizer_info": post(asPlatform(getAuthorizerInfo)).withoutToken(),

		base + "api_get_authorizer_option": post(asPlatform(getAuthorizerOption)).withoutToken(),
		base + "api_set_authorizer_option": post(asPlatform(setAuthorizerOption)).withoutToken(),
		base + "clear_quota/v2":            post((*Platform).clearQuotaOfPlatform).withoutToken(),
	}
}

func diagnosisEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/clear_quota":       post((*Platform).clearQuota).orPlatform(),
		"/cgi-bin/clear_quota/v2":    post((*Platform).clearQuotaBySecret).withoutToken(),
		"/cgi-bin/openapi/quota/get": post((*Platform).getQuota).orPlatform(),

		"/cgi-bin/openapi/quota/clear": post((*Platform).clearQuotaOfPath).orPlatform(),
		"/cgi-bin/openapi/rid/get":     post((*Platform).getRID).orPlatform(),

		"/datacube/getusersummary":   post((*Platform).getUserSummary),
		"/cgi-bin/callback/check":    post((*Platform).checkCallback),
		"/cgi-bin/getcallbackip":     get((*Platform).getCallbackIP),
		"/cgi-bin/get_api_domain_ip": get((*Platform).getCallbackIP),
	}
}

func messageEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/message/custom/send":            post((*Platform).sendCustomMessage),
		"/cgi-bin/message/custom/typing":          post((*Platform).sendTyping),
		"/cgi-bin/message/custom/business/send":   post((*Platform).sendCustomMessage),
		"/cgi-bin/message/custom/business/typing": post((*Platform).sendTyping),
	}
}

func mediaEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/media/upload":    post((*Platform).uploadMedia),
		"/cgi-bin/media/get":       get((*Platform).getMedia),
		"/cgi-bin/media/get/jssdk": get((*Platform).getVoice),
		"/cgi-bin/media/uploadimg": post((*Platform).uploadPicture),
	}
}

func menuEndpoints() map[string]endpoint {
	return map[string]endpoint{
		"/cgi-bin/menu/get":                  get((*Platform).getMenu),
		"/cgi-bin/menu/create":               post((*Platform).createMenu),
		"/cgi-bin/menu/delete":               get((*Platform).deleteMenu),
		"/cgi-bin/menu/addconditional":       post((*Platform).addConditionalMenu),
		"/cgi-bin/menu/delconditional":       post((*Platform).deleteConditionalMenu),
		"/cgi-bin/menu/trymatch":             post((*Platform).tryMenu),
		"/cgi-bin/get_current_selfmenu_info": get((*Platform).getSelfMenu),
	}
}
