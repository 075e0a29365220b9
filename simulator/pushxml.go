package simulator

import (
	"strconv"
	"strings"
)

// xmlWriter writes the flat documents that WeChat pushes, byte for byte as
// recorded: strings in CDATA, numbers bare, no white space between elements. The
// package's own writer exists because encoding/xml escapes text instead.
type xmlWriter struct {
	builder strings.Builder
}

// text writes an element whose content is CDATA. CDATA can't hold its own end
// mark, which is therefore split over two sections.
func (w *xmlWriter) text(name, value string) {
	value = strings.ReplaceAll(dropIllegal(value), "]]>", "]]]]><![CDATA[>")
	w.raw(name, "<![CDATA["+value+"]]>")
}

// raw writes an element whose content is a number or prepared text.
func (w *xmlWriter) raw(name, value string) {
	w.builder.WriteString("<" + name + ">" + value + "</" + name + ">")
}

func (w *xmlWriter) number(name string, value int64) { w.raw(name, strconv.FormatInt(value, 10)) }

func (w *xmlWriter) document() string { return "<xml>" + w.builder.String() + "</xml>" }

// dropIllegal removes the characters that no XML document can hold.
func dropIllegal(value string) string {
	return strings.Map(func(char rune) rune {
		switch {
		case char == '\t' || char == '\n' || char == '\r':
			return char
		case char < 0x20 || char == 0xFFFE || char == 0xFFFF:
			return -1
		default:
			return char
		}
	}, value)
}

// entryID writes the id of an entry of a menu message. WeChat's own sample has a number bare; how it writes other
// ids is not documented.
func (w *xmlWriter) entryID(id string) {
	const name = "bizmsgmenuid"
	if number, err := strconv.ParseInt(id, 10, 64); err == nil {
		w.number(name, number)

		return
	}
	w.text(name, id)
}

// renderPush returns the elements of a push without their root.
func renderPush(push Push, originalID string) *xmlWriter {
	writer := new(xmlWriter)
	writer.text("ToUserName", originalID)
	writer.text("FromUserName", push.From)
	writer.number("CreateTime", push.createTime)
	writer.text("MsgType", string(push.Type))
	switch push.Type {
	case TypeText:
		writer.text("Content", push.Content)
	case TypeImage:
		writer.text("PicUrl", push.picURL)
		writer.text("MediaId", push.mediaID)
	case TypeEvent:
		renderEvent(writer, push)
	}
	if push.Type != TypeEvent {
		writer.number("MsgId", push.msgID)
	}
	if push.MenuEntryID != "" {
		writer.entryID(push.MenuEntryID)
	}

	return writer
}

func renderEvent(writer *xmlWriter, push Push) {
	writer.text("Event", push.Event)
	switch push.Event {
	case EventLocation:
		writer.raw("Latitude", formatDegrees(push.Latitude))
		writer.raw("Longitude", formatDegrees(push.Longitude))
		writer.raw("Precision", formatDegrees(push.Precision))
	case EventView:
		writer.text("EventKey", push.EventKey)
		writer.number("MenuId", push.menuID)
	default:
		writer.text("EventKey", push.EventKey)
		if push.Ticket != "" {
			writer.text("Ticket", push.Ticket)
		}
	}
}

// formatDegrees writes the six decimals that WeChat sends.
func formatDegrees(value float64) string { return strconv.FormatFloat(value, 'f', 6, 64) }

// renderSealed returns the body of a push in compatible or safe mode.
func renderSealed(mode Mode, clearText *xmlWriter, originalID, encrypted string) string {
	if mode == ModeCompatible {
		clearText.text("Encrypt", encrypted)

		return clearText.document()
	}
	envelope := new(xmlWriter)
	envelope.text("ToUserName", originalID)
	envelope.text("Encrypt", encrypted)

	return envelope.document()
}
