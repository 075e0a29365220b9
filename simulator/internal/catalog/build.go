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
// those of the entry (see Select). A field of an element with a number that the sample lacks, such as item[3], makes copies
// of the first of that name.
func (e Entry) Build(header Header, fields map[string]string) Element {
	document := e.document.clone()
	for where := range fields {
		if repetition.MatchString(where) {
			document.repeat(where)
		}
	}
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

// repeat copies the elements on a path until there are as many as it counts.
func (e *Element) repeat(where string) {
	parent := e
	for step := range strings.SplitSeq(where, "/") {
		name, number, _ := strings.Cut(strings.TrimSuffix(step, "]"), "[")
		wanted, err := strconv.Atoi(number)
		if err != nil {
			wanted = 1
		}
		var same []int
		for position := range parent.Children {
			if parent.Children[position].Name == name {
				same = append(same, position)
			}
		}
		if len(same) == 0 {
			return
		}
		for first, last := same[0], same[len(same)-1]; len(same) < wanted; last++ {
			parent.Children = slices.Insert(parent.Children, last+1, parent.Children[first].clone())
			same = append(same, last+1)
		}
		parent = &parent.Children[same[wanted-1]]
	}
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
