// Package catalog knows every message, event and notice that WeChat pushes (接收普通消息、接收事件推送、第三方平台通知), as
// data: one recorded sample each, from whose shape forms are generated and documents rendered.
//
// The samples' field names, nesting and numbers follow the official pages where there is one, else the sources of SDKs in
// wide use; identifiers are invented.
package catalog

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed samples
var samples embed.FS

// Kind tells apart what is pushed.
type Kind string

// The kinds.
const (
	KindMessage Kind = "message" // A message (消息), which has a MsgId.
	KindEvent   Kind = "event"   // An event (事件), which has none.
	KindNotice  Kind = "notice"  // A notice to a third-party platform (第三方平台), which has an InfoType.
)

// MsgTypeEvent is the MsgType of all events.
const MsgTypeEvent = "event"

// Entry is one thing that WeChat pushes.
type Entry struct {
	Name       string  `json:"name"` // Such as text, text.msgmenu, event:SCAN, info:authorized.
	Kind       Kind    `json:"kind"`
	MsgType    string  `json:"msg_type,omitempty"`  // Of messages and events.
	Event      string  `json:"event,omitempty"`     // Of events, in WeChat's case.
	InfoType   string  `json:"info_type,omitempty"` // Of notices.
	Variant    string  `json:"variant,omitempty"`   // Tells entries of one type apart.
	Group      string  `json:"group"`
	GroupEn    string  `json:"group_en"`
	Title      string  `json:"title"`
	TitleEn    string  `json:"title_en"`
	Answerable bool    `json:"answerable"`  // Whether the follower sees a reply to it.
	ByFollower bool    `json:"by_follower"` // Whether a follower does it, not WeChat or the account's people.
	Fields     []Field `json:"fields"`      // In the order of the document, without those of the header.

	document Element
}

// Field is one value of an entry that a push may set.
type Field struct {
	Path   string `json:"path"`   // Names of the elements, such as ScanCodeInfo/ScanType; the second of a name has [2].
	Sample string `json:"sample"` // Value unless it is set.
	Number bool   `json:"number"` // Whether the value is written bare, as numbers are.
}

// Catalog is the list of all entries.
type Catalog struct {
	entries []Entry
	kinds   map[kindKey][]Entry // The plain one first, then the variants that need the fewest fields.
}

// kindKey is what a push names its kind by.
type kindKey struct{ msgType, event, infoType string }

// Load reads the samples. It fails only if a sample that was built in is broken.
func Load() (*Catalog, error) {
	files, err := fs.Glob(samples, "samples/*.xml")
	if err != nil {
		return nil, fmt.Errorf("list samples: %w", err)
	}
	catalog := new(Catalog)
	for _, file := range files {
		data, err := samples.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read sample: %w", err)
		}
		document, err := ParseXML(data)
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w", file, err)
		}
		catalog.entries = append(catalog.entries, describe(strings.TrimSuffix(path.Base(file), ".xml"), document))
	}
	slices.SortStableFunc(catalog.entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(titles[a.Name].group, titles[b.Name].group), cmp.Compare(a.Name, b.Name))
	})
	catalog.index()

	return catalog, nil
}

// index groups the entries by their kind.
func (c *Catalog) index() {
	c.kinds = make(map[kindKey][]Entry)
	for _, entry := range c.entries {
		key := kindKey{entry.MsgType, entry.Event, entry.InfoType}
		c.kinds[key] = append(c.kinds[key], entry)
	}
	for _, candidates := range c.kinds {
		slices.SortStableFunc(candidates, func(a, b Entry) int {
			return cmp.Or(cmp.Compare(min(len(a.Variant), 1), min(len(b.Variant), 1)), cmp.Compare(len(a.Fields), len(b.Fields)))
		})
	}
}

// describe makes the entry of a sample, whose file is named PREFIX.TYPE or PREFIX.TYPE.VARIANT.
func describe(file string, document Element) Entry {
	prefix, rest, _ := strings.Cut(file, ".")
	kind, variant, _ := strings.Cut(rest, ".")
	entry := Entry{Variant: variant, document: document, Fields: fieldsOf(document)}
	switch prefix {
	case "msg":
		entry.Name, entry.Kind, entry.MsgType = rest, KindMessage, kind
	case "event":
		entry.Name, entry.Kind, entry.MsgType, entry.Event = "event:"+rest, KindEvent, MsgTypeEvent, kind
	default:
		entry.Name, entry.Kind, entry.InfoType = "info:"+rest, KindNotice, kind
	}
	entry.Answerable = entry.Kind == KindMessage || Answerable(entry.Event)
	known := titles[entry.Name]
	entry.Title, entry.TitleEn = cmp.Or(known.zh, entry.Name), cmp.Or(known.en, entry.Name)
	entry.Group, entry.GroupEn = groups[known.group].zh, groups[known.group].en
	entry.ByFollower = known.group.byFollower()

	return entry
}

// Answerable reports whether WeChat shows a reply to an event: to those which the follower triggered knowingly and waits
// for (community knowledge; the documents only say "some events").
func Answerable(event string) bool {
	return slices.Contains([]string{"subscribe", "SCAN", "CLICK", "scancode_waitmsg"}, event)
}

// repetition is what numbers the second and further elements of a name in a path.
var repetition = regexp.MustCompile(`\[(?:[2-9]|[1-9][0-9])\]`)

// Has reports whether the entry has a field, or has it if one of its elements is repeated.
func (e Entry) Has(path string) bool {
	first := repetition.ReplaceAllString(path, "")

	return slices.ContainsFunc(e.Fields, func(field Field) bool { return field.Path == path || field.Path == first })
}

// header are the elements that every push has; they are the platform's to set.
var header = []string{"ToUserName", "FromUserName", "CreateTime", "MsgType", "MsgId", "Event", "InfoType"}

// fieldsOf lists the values of a document.
func fieldsOf(document Element) []Field {
	fields := []Field{}
	notice := document.Find("InfoType") != nil
	walk(&document, "", func(where string, element *Element) {
		if !slices.Contains(header, where) && (!notice || where != "AppId") {
			fields = append(fields, Field{Path: where, Sample: element.Text, Number: element.Bare && isNumber(element.Text)})
		}
	})

	return fields
}

// walk visits the elements that have a value, with their paths.
func walk(parent *Element, before string, visit func(string, *Element)) {
	seen := make(map[string]int)
	for position := range parent.Children {
		child := &parent.Children[position]
		seen[child.Name]++
		where := before + child.Name
		if seen[child.Name] > 1 {
			where += fmt.Sprintf("[%d]", seen[child.Name])
		}
		if len(child.Children) > 0 {
			walk(child, where+"/", visit)
		} else {
			visit(where, child)
		}
	}
}

// All returns the entries, sorted by group and name.
func (c *Catalog) All() []Entry { return slices.Clone(c.entries) }

// Find returns the entry of that name.
func (c *Catalog) Find(name string) (Entry, bool) {
	position := slices.IndexFunc(c.entries, func(entry Entry) bool { return entry.Name == name })
	if position < 0 {
		return Entry{}, false
	}

	return c.entries[position], true
}

// Select returns the entry of a message type, event or info type that has all of the fields: the plain one, or the
// variant that needs the fewest. An unknown type and unknown fields are errors that name what there is.
func (c *Catalog) Select(msgType, event, infoType string, fields map[string]string) (Entry, error) {
	candidates := c.kinds[kindKey{msgType, event, infoType}]
	if len(candidates) == 0 {
		return Entry{}, c.unknown(msgType, event, infoType)
	}
	for _, entry := range candidates {
		if entry.hasAll(fields) {
			return entry, nil
		}
	}

	return Entry{}, fmt.Errorf("%w: %s has no field %q, it has %s",
		ErrDocument, candidates[0].Name, candidates[0].missing(fields), strings.Join(pathsOf(candidates), ", "))
}

func (c *Catalog) unknown(msgType, event, infoType string) error {
	var known []string
	what, name := "type", msgType
	switch {
	case infoType != "":
		what, name = "info_type", infoType
	case msgType == MsgTypeEvent:
		what, name = "event", event
	}
	for _, entry := range c.entries {
		if (what == "type" && entry.Kind == KindMessage) || (what == "event" && entry.Kind == KindEvent) || (what == "info_type" && entry.Kind == KindNotice) {
			known = append(known, cmp.Or(entry.Event, entry.InfoType, entry.MsgType))
		}
	}
	if what == "type" {
		known = append(known, MsgTypeEvent)
	}
	slices.Sort(known)

	return fmt.Errorf("%w: %s %q is unknown, use one of %s", ErrDocument, what, name, strings.Join(slices.Compact(known), ", "))
}

// hasAll reports whether the entry has all of the fields.
func (e Entry) hasAll(fields map[string]string) bool {
	for name := range fields {
		if !e.Has(name) {
			return false
		}
	}

	return true
}

// missing names the fields that the entry doesn't have.
func (e Entry) missing(fields map[string]string) string {
	var missing []string
	for name := range fields {
		if !e.Has(name) {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)

	return strings.Join(missing, `", "`)
}

func pathsOf(entries []Entry) []string {
	var paths []string
	for _, entry := range entries {
		for _, field := range entry.Fields {
			if !slices.Contains(paths, field.Path) {
				paths = append(paths, field.Path)
			}
		}
	}

	return paths
}
