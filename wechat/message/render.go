package message

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// node is one element of a document to write.
type node struct {
	name string
	// text is the value of an element without children.
	text string
	// number says that text is a number, which needs no quotes.
	number bool
	// children are the elements within, in order.
	children []node
	// list says that the children are entries without names of their own: XML calls
	// each item, JSON has an array.
	list bool
}

// render writes a document. The names are the same in both formats. Source for
// JSON: 微信云托管 “消息推送回复”; that it holds for an account's own server, and that
// a list is a plain array, are assumptions.
func (f Format) render(nodes []node) []byte {
	root := node{name: rootName, children: nodes}
	if f == JSON {
		return root.appendJSON(make([]byte, 0, usualLength))
	}

	return root.appendXML(make([]byte, 0, usualLength))
}

// usualLength is what most replies stay within, in bytes: the frame and a few lines.
const usualLength = 640

// appendXML writes strings as CDATA, in which line breaks and links need no
// escaping, as in WeChat's own examples.
func (n node) appendXML(b []byte) []byte {
	b = append(append(append(b, '<'), n.name...), '>')
	switch {
	case n.children != nil:
		for _, child := range n.children {
			if n.list {
				child.name = "item"
			}
			b = child.appendXML(b)
		}
	case n.number:
		b = append(b, n.text...)
	default:
		// "]]>" would end the section, so a second one begins in its midst.
		b = append(b, cdataStart...)
		b = append(b, strings.ReplaceAll(n.text, "]]>", "]]]]>"+cdataStart+">")...)
		b = append(b, "]]>"...)
	}

	return append(append(append(b, "</"...), n.name...), '>')
}

// appendJSON writes the value, without the name.
func (n node) appendJSON(b []byte) []byte {
	switch {
	case n.children != nil:
		brackets := "{}"
		if n.list {
			brackets = "[]"
		}
		b = append(b, brackets[0])
		for i, child := range n.children {
			if i > 0 {
				b = append(b, ',')
			}
			if !n.list {
				b = append(appendQuoted(b, child.name), ':')
			}
			b = child.appendJSON(b)
		}

		return append(b, brackets[1])
	case n.number:
		return append(b, n.text...)
	default:
		return appendQuoted(b, n.text)
	}
}

// appendQuoted writes a JSON string in real characters: whether WeChat reads \u
// escapes in a reply is not documented, and in API requests it shows them as they are.
func appendQuoted(b []byte, text string) []byte {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) //nolint:errchkjson // A string has a JSON form, and a Buffer takes it.

	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// replyNodes are the elements that depend on the type, for a valid reply.
func replyNodes(r Reply) []node {
	switch r := r.(type) {
	case TextReply:
		return []node{msgType(TypeText), {name: "Content", text: r.Content}}
	case ImageReply:
		return []node{msgType(TypeImage), {name: "Image", children: []node{{name: "MediaId", text: r.MediaID}}}}
	case VoiceReply:
		return []node{msgType(TypeVoice), {name: "Voice", children: []node{{name: "MediaId", text: r.MediaID}}}}
	case VideoReply:
		return []node{msgType(TypeVideo), {name: "Video", children: present(
			node{name: "MediaId", text: r.MediaID},
			node{name: "Title", text: r.Title},
			node{name: "Description", text: r.Description},
		)}}
	case MusicReply:
		return []node{msgType("music"), {name: "Music", children: present(
			node{name: "Title", text: r.Title},
			node{name: "Description", text: r.Description},
			node{name: "MusicUrl", text: r.MusicURL},
			node{name: "HQMusicUrl", text: r.HQMusicURL},
			node{name: "ThumbMediaId", text: r.ThumbMediaID},
		)}}
	case NewsReply:
		return newsNodes(r.Articles)
	case TransferCustomerService:
		nodes := []node{msgType("transfer_customer_service")}
		if r.KfAccount != "" {
			nodes = append(nodes, node{name: "TransInfo", children: []node{{name: "KfAccount", text: r.KfAccount}}})
		}

		return nodes
	case TransferBizAIIVR:
		return []node{msgType("transfer_biz_ai_ivr")}
	default:
		return nil
	}
}

func msgType(name string) node { return node{name: "MsgType", text: name} }

// present leaves out the elements without a value.
func present(nodes ...node) []node {
	kept := nodes[:0]
	for _, n := range nodes {
		if n.text != "" {
			kept = append(kept, n)
		}
	}

	return kept
}

// newsNodes are the elements of articles. All four of an article are written even
// when empty, because the platform lists all of them as required.
func newsNodes(articles []Article) []node {
	entries := make([]node, 0, len(articles))
	for _, article := range articles {
		entries = append(entries, node{children: []node{
			{name: "Title", text: article.Title},
			{name: "Description", text: article.Description},
			{name: "PicUrl", text: article.PicURL},
			{name: "Url", text: article.URL},
		}})
	}

	return []node{
		msgType("news"),
		{name: "ArticleCount", text: strconv.Itoa(len(articles)), number: true},
		{name: "Articles", children: entries, list: true},
	}
}
