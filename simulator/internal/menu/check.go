package menu

import (
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The limits of a button (创建自定义菜单). Names are never too long: clients cut them.
const (
	maxKey = 128  // Bytes.
	maxURL = 1024 // Bytes.
)

// refusals are the codes of one level of a menu.
type refusals struct {
	size, kind, name, key, url errcode.Code
}

var (
	topLevel = refusals{errcode.Buttons, errcode.MenuType, errcode.MenuName, errcode.MenuKey, errcode.MenuURL}
	subLevel = refusals{errcode.SubSize, errcode.SubType, errcode.SubName, errcode.SubKey, errcode.SubURL}
)

// Check returns the refusal of a menu. Which fields a type needs is documented; of the codes the table of return codes
// names those of sizes, and the nearest is taken for what is missing. Known tells whether the account has that material.
func (m *Menu) Check(known func(mediaID string) bool) errcode.Code {
	if len(m.Button) == 0 || len(m.Button) > maxButtons {
		return topLevel.size
	}
	for _, button := range m.Button {
		switch {
		case len(button.SubButton) > maxSubButtons:
			return subLevel.size
		case button.Name == "":
			return topLevel.name
		case len(button.SubButton) == 0:
			if code := button.check(topLevel, known); code != errcode.OK {
				return code
			}
		}
		for _, sub := range button.SubButton {
			if len(sub.SubButton) > 0 {
				return errcode.SubLevel
			}
			if code := sub.check(subLevel, known); code != errcode.OK {
				return code
			}
		}
	}

	return errcode.OK
}

// check returns the refusal of a button that does something.
func (b *Button) check(codes refusals, known func(mediaID string) bool) errcode.Code {
	if b.Name == "" {
		return codes.name
	}
	switch b.Type {
	case "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		if b.Key == "" || len(b.Key) > maxKey {
			return codes.key
		}
	case "view":
		return b.checkURL(codes)
	case "miniprogram":
		switch {
		case b.AppID == "":
			return errcode.AppID
		case b.PagePath == "":
			return errcode.PagePath
		default:
			return b.checkURL(codes)
		}
	case "media_id", "view_limited":
		if !known(b.MediaID) {
			return errcode.MediaID
		}
	case "article_id", "article_view_limited":
		if b.ArticleID == "" {
			return errcode.ArticleID
		}
	default:
		return codes.kind
	}

	return errcode.OK
}

func (b *Button) checkURL(codes refusals) errcode.Code {
	if len(b.URL) > maxURL || (!strings.HasPrefix(b.URL, "http://") && !strings.HasPrefix(b.URL, "https://")) {
		return codes.url
	}

	return errcode.OK
}
