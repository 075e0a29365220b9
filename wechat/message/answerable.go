package message

import "strings"

// Answerable reports whether WeChat shows the follower a passive reply to this push: to every message, and of
// the events to those that follow from what the follower just did in the chat. For all others WeChat's pages
// ask for success only (接收事件推送; which events may be answered is nowhere listed in full).
func (m Message) Answerable() bool {
	if m.Event == nil {
		return m.Notice == nil
	}
	switch strings.ToLower(m.Event.Name) {
	case "subscribe", "scan", "click", "scancode_waitmsg", "scancode_push",
		"pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		return true
	default:
		return false
	}
}
