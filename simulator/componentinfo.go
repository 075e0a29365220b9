package simulator

import (
	"slices"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// authorizerOptions are the options of an authorizer (授权方选项) and their values: the position may be reported never (0),
// on entering the chat (1) or every five seconds (2); the other two are off (0) or on (1).
var authorizerOptions = map[string][]string{
	"location_report": {"0", "1", "2"}, "voice_recognize": {"0", "1"}, "customer_service": {"0", "1"},
}

// authorized returns the refusal unless the account has authorised the platform.
func (r *apiRequest) authorized(asked componentRequest) errcode.Code {
	if _, authorized := r.state.component.refresh[asked.Authorizer]; !authorized {
		return errcode.NotAuthorized
	}

	return errcode.OK
}

// getAuthorizerInfo serves POST /cgi-bin/component/api_get_authorizer_info (获取授权方的账号信息).
func getAuthorizerInfo(r *apiRequest, asked componentRequest) apiAnswer {
	if code := r.authorized(asked); code != errcode.OK {
		return refuse(code)
	}
	refresh := r.state.component.refresh[asked.Authorizer]
	r.hide(refresh)
	account := r.authorizer.Account

	return answer(map[string]any{
		"authorizer_info": map[string]any{
			"nick_name": "模拟账号", "head_img": "", "user_name": account.OriginalID, "principal_name": "模拟主体", "alias": "", "qrcode_url": "",
			"service_type_info": map[string]int{"id": 2}, "verify_type_info": map[string]int{"id": 0},
			"business_info": map[string]int{"open_store": 0, "open_scan": 0, "open_pay": 0, "open_card": 0, "open_shake": 0},
		},
		"authorization_info": map[string]any{
			"authorizer_appid": account.AppID, "authorizer_refresh_token": refresh, "func_info": functionInfo(r.state.component.granted[account.AppID]),
		},
	})
}

// getAuthorizerOption serves POST /cgi-bin/component/api_get_authorizer_option (获取授权方选项信息).
func getAuthorizerOption(r *apiRequest, asked componentRequest) apiAnswer {
	if code := r.authorized(asked); code != errcode.OK {
		return refuse(code)
	}
	values, known := authorizerOptions[asked.Option]
	if !known {
		return refuse(errcode.Arguments)
	}
	value, set := r.authorizer.options[asked.Option]
	if !set {
		value = values[0]
	}

	return answer(map[string]string{"authorizer_appid": asked.Authorizer, "option_name": asked.Option, "option_value": value})
}

// setAuthorizerOption serves POST /cgi-bin/component/api_set_authorizer_option (设置授权方选项信息).
func setAuthorizerOption(r *apiRequest, asked componentRequest) apiAnswer {
	if code := r.authorized(asked); code != errcode.OK {
		return refuse(code)
	}
	if !slices.Contains(authorizerOptions[asked.Option], asked.Value) {
		return refuse(errcode.Arguments)
	}
	r.authorizer.options[asked.Option] = asked.Value

	return refuse(errcode.OK)
}
