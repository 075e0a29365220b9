package catalog

import (
	"slices"
	"strconv"
	"strings"
)

// Header is what the platform sets in every push.
type Header struct {
	To         string // ToUserName, the account's original id (原始ID); of a notice AppId, the platform's AppID.
	From       string // FromUserName, unless the entry has a sender of WeChat's own.
	CreateTime int64  // Unix seconds.
	MsgID      int64  // Of messages only.
}

// sampleFollower is the follower of the samples; another sender is WeChat's own, such as mphelper.
const sampleFollower = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"

// Build returns the document of an entry with that header, and the fields in place of the sample's. The fields must be
// those of the entry (see Select).
func (e Entry) Build(header Header, fields map[string]string) Element {
	document := e.document.clone()
	walk(&document, "", func(where string, element *Element) {
		value, set := fields[where]
		switch {
		case set:
			element.Text = value
		case where == "ToUserName", where == "AppId" && e.Kind == KindNotice:
			element.Text = header.To
		case where == "FromUserName" && element.Text == sampleFollower:
			element.Text = header.From
		case where == "CreateTime":
			element.Text = strconv.FormatInt(header.CreateTime, 10)
		case where == "MsgId":
			element.Text = strconv.FormatInt(header.MsgID, 10)
		}
		// What isn't a number doesn't stand bare where numbers do.
		if set && element.Bare && !isNumber(value) {
			element.Bare = false
		}
	})

	return document
}

func (e *Element) clone() Element {
	copied := *e
	copied.Children = slices.Clone(e.Children)
	for position := range copied.Children {
		copied.Children[position] = copied.Children[position].clone()
	}

	return copied
}

// JSONDocument writes a whole document in the format JSON. Those of subscription messages have their lists directly in
// the root (as SDKs in wide use read them); what the official pages show of others has the shape of the XML.
func JSONDocument(document Element) string {
	flat := Element{Name: document.Name}
	for _, child := range document.Children {
		if strings.HasPrefix(child.Name, "SubscribeMsg") {
			flat.Children = append(flat.Children, child.Children...)
		} else {
			flat.Children = append(flat.Children, child)
		}
	}

	return flat.JSON()
}
