package rule

import (
	"slices"
	"strings"
)

// knownTypes are the values of MsgType that WeChat is known to push: 微信公众平台
// “接收普通消息”, and what other SDKs have seen beyond it.
var knownTypes = []string{
	"text", "image", "voice", "video", "shortvideo", "location", "link", "event",
	"file", "miniprogrampage", "device_text", "device_event", "device_status", "hardware",
}

// knownEvents are frequent values of Event: 微信公众平台 “接收事件推送” and the pages of each
// feature. WeChat adds more without notice, so the list only serves to find slips.
var knownEvents = []string{
	"subscribe", "unsubscribe", "SCAN", "LOCATION", "CLICK", "VIEW", "view_miniprogram",
	"scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select",
	"ENTER", "user_enter_tempsession",
	"TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH", "PUBLISHJOBFINISH",
	"subscribe_msg_popup_event", "subscribe_msg_change_event", "subscribe_msg_sent_event",
	"kf_create_session", "kf_close_session", "kf_switch_session",
	"user_info_modified", "user_authorization_revoke", "user_authorization_cancellation",
	"qualification_verify_success", "qualification_verify_fail", "naming_verify_success", "naming_verify_fail",
	"annual_renew", "verify_expired",
	"card_pass_check", "card_not_pass_check", "user_get_card", "user_gifting_card", "user_del_card",
	"user_consume_card", "user_view_card", "user_enter_session_from_card",
}

// silentEvents cannot be answered: WeChat shows no reply to them.
var silentEvents = []string{
	"unsubscribe", "LOCATION", "VIEW", "view_miniprogram",
	"TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH", "PUBLISHJOBFINISH",
}

func isSilent(event string) bool {
	return slices.ContainsFunc(silentEvents, func(silent string) bool { return strings.EqualFold(silent, event) })
}

func isKnownEvent(event string) bool {
	return slices.ContainsFunc(knownEvents, func(known string) bool { return strings.EqualFold(known, event) })
}
