package message

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// maxTupleLength is how long the readable key of an event may become. An EventKey
// can be a URL of a kilobyte, too long for a key of a store.
const maxTupleLength = 128

// Key returns the text by which repeated deliveries of one push are recognised
// (消息排重). It is unique within one account, shorter than 130 bytes, and printable
// except for what the push itself carries.
//
//   - With a MsgID: that alone, as WeChat prescribes.
//   - An event: FromUserName and CreateTime, as WeChat prescribes, with Event and
//     EventKey, since a follower can cause two events in one second, and with the
//     id of the job or message that it is about, since mphelper reports two jobs in
//     one second under otherwise equal fields.
//   - Anything else, which WeChat doesn't prescribe anything for: a hash of all
//     fields, secrets excepted. Two equal ones within one second count as one.
//
// The kinds have different first letters, and within a kind different values
// never give the same key.
func (m Message) Key() string {
	switch {
	case m.MsgID != 0:
		return "m" + strconv.FormatUint(m.MsgID, 10)
	case m.Event != nil:
		return m.eventKey()
	case m.Notice != nil:
		return "n" + m.digest()
	default:
		return "x" + m.digest()
	}
}

// eventKey joins the parts with their lengths before them, so that no choice of
// separator within a part can imitate another tuple.
func (m Message) eventKey() string {
	var joined strings.Builder
	parts := [...]string{
		m.FromUserName, strconv.FormatInt(m.CreateTime, 10), m.Event.Name, m.Event.Key, m.jobID(),
	}
	for _, part := range parts {
		joined.WriteString(strconv.Itoa(len(part)) + ":" + part + ",")
	}
	tuple := joined.String()
	if len(tuple) > maxTupleLength {
		return "h" + hash(tuple)
	}

	return "e" + tuple
}

// jobID is the id of what an event reports the end of.
func (m Message) jobID() string {
	switch e := m.Event; {
	case e.SendJob != nil && e.SendJob.MsgID != 0:
		return strconv.FormatUint(e.SendJob.MsgID, 10)
	case e.PublishJob != nil:
		return e.PublishJob.PublishID
	case len(e.Subscriptions) > 0 && e.Subscriptions[0].MsgID != 0:
		return strconv.FormatUint(e.Subscriptions[0].MsgID, 10)
	default:
		return fieldValue(m.Fields, "MsgID")
	}
}

// digest is a hash over all fields.
func (m Message) digest() string {
	m.Format, m.Raw = XML, nil // which add nothing to the fields
	// JSON is used because it is unambiguous. It can't fail: the types are plain,
	// and Parse lets no NaN through. Were it to fail for a message somebody built
	// by hand, the error text would still tell apart what can be told.
	text, err := json.Marshal(m) //nolint:musttag // only hashed, so the names are free.
	if err != nil {
		return hash(fmt.Sprintf("%s,%d,%s,%v", m.FromUserName, m.CreateTime, m.MsgType, err))
	}

	return hash(string(text))
}

// hash is SHA-256 in hexadecimal.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))

	return hex.EncodeToString(sum[:])
}

// fieldValue is the value of the first field of that name, or empty.
func fieldValue(fields []Field, name string) string {
	for _, field := range fields {
		if field.Name == name {
			return field.Value
		}
	}

	return ""
}
