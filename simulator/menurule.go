package simulator

import (
	"strings"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// The limits of a button (创建自定义菜单). Names are never too long: clients cut them.
const (
	maxMenuKey = 128  // Bytes.
	maxMenuURL = 1024 // Bytes.
)

// menuCodes are the refusals of one level of a menu.
type menuCodes struct {
	size, kind, name, key, url errcode.Code
}

var (
	topCodes = menuCodes{errcode.Buttons, errcode.MenuType, errcode.MenuName, errcode.MenuKey, errcode.MenuURL}
	subCodes = menuCodes{errcode.SubSize, errcode.SubType, errcode.SubName, errcode.SubKey, errcode.SubURL}
)

// check returns the refusal of a menu. Which fields a type needs is documented; of the codes the table of return codes
// names those of sizes, and the nearest is taken for what is missing.
func (m Menu) check(known knownMedia) errcode.Code {
	if len(m.Button) == 0 || len(m.Button) > maxMenuButtons {
		return topCodes.size
	}
	for _, button := range m.Button {
		switch {
		case len(button.SubButton) > maxSubButtons:
			return subCodes.size
		case button.Name == "":
			return topCodes.name
		case len(button.SubButton) == 0:
			if code := button.check(topCodes, known); code != errcode.OK {
				return code
			}
		}
		for _, sub := range button.SubButton {
			if len(sub.SubButton) > 0 {
				return errcode.SubLevel
			}
			if code := sub.check(subCodes, known); code != errcode.OK {
				return code
			}
		}
	}

	return errcode.OK
}

// check returns the refusal of a button that does something.
func (b *Button) check(codes menuCodes, known knownMedia) errcode.Code {
	if b.Name == "" {
		return codes.name
	}
	switch b.Type {
	case "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		if b.Key == "" || len(b.Key) > maxMenuKey {
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
	case fieldMediaID, "view_limited":
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

func (b *Button) checkURL(codes menuCodes) errcode.Code {
	if len(b.URL) > maxMenuURL || (!strings.HasPrefix(b.URL, "http://") && !strings.HasPrefix(b.URL, "https://")) {
		return codes.url
	}

	return errcode.OK
}
