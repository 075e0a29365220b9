package simulator

import "strings"

// The limits of a button (创建自定义菜单). Names are never too long: clients cut them.
const (
	maxMenuKey = 128  // Bytes.
	maxMenuURL = 1024 // Bytes.
)

// menuCodes are the refusals of one level of a menu.
type menuCodes struct {
	size, kind, name, key, url errcode
}

var (
	topCodes = menuCodes{codeButtons, codeMenuType, codeMenuName, codeMenuKey, codeMenuURL}
	subCodes = menuCodes{codeSubSize, codeSubType, codeSubName, codeSubKey, codeSubURL}
)

// check returns the refusal of a menu. Which fields a type needs is documented; of the codes the table of return codes
// names those of sizes, and the nearest is taken for what is missing.
func (m Menu) check(known knownMedia) errcode {
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
			if code := button.check(topCodes, known); code != codeOK {
				return code
			}
		}
		for _, sub := range button.SubButton {
			if len(sub.SubButton) > 0 {
				return codeSubLevel
			}
			if code := sub.check(subCodes, known); code != codeOK {
				return code
			}
		}
	}

	return codeOK
}

// check returns the refusal of a button that does something.
func (b *Button) check(codes menuCodes, known knownMedia) errcode {
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
			return codeAppID
		case b.PagePath == "":
			return codePagePath
		default:
			return b.checkURL(codes)
		}
	case fieldMediaID, "view_limited":
		if !known(b.MediaID) {
			return codeMediaID
		}
	case "article_id", "article_view_limited":
		if b.ArticleID == "" {
			return codeArticleID
		}
	default:
		return codes.kind
	}

	return codeOK
}

func (b *Button) checkURL(codes menuCodes) errcode {
	if len(b.URL) > maxMenuURL || (!strings.HasPrefix(b.URL, "http://") && !strings.HasPrefix(b.URL, "https://")) {
		return codes.url
	}

	return codeOK
}
