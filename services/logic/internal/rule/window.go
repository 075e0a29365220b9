package rule

import (
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones by name on hosts that have none.

	"github.com/wxstack/wxstack/services/logic/internal/fields"
	"github.com/wxstack/wxstack/services/logic/internal/route"
	"github.com/wxstack/wxstack/services/logic/internal/suggest"
)

// window reads a time window.
func (r *reader) window(e entry) *route.Window {
	w := &route.Window{Zone: fields.China}
	before := r.Faults()
	// The zone decides what the other keys mean, wherever it stands.
	r.zoneOf(e, w)
	found, ok := r.Mapping(e.Value, "time", map[string]func(entry){
		"from":  func(e entry) { w.From = r.moment(e, "from", w.Zone) },
		"until": func(e entry) { w.Until = r.moment(e, "until", w.Zone) },
		"days":  func(e entry) { w.Days = r.days(e) },
		"hours": func(e entry) { w.Hours = r.hours(e) },
		"zone":  func(entry) {},
	})
	if !ok || r.Faults() > before {
		return w
	}
	switch {
	case len(found) == 0 || (len(found) == 1 && w.Zone != fields.China):
		r.Faultf(e.Key, "time has no window; give it from, until, days or hours")
	case !w.Until.IsZero() && !w.From.Before(w.Until):
		r.Faultf(found["until"].Value, "until is not after from, so the rule never matches")
	}

	return w
}

func (r *reader) zoneOf(e entry, w *route.Window) {
	for key, value := range r.Pairs(e.Value) {
		if key != "zone" {
			continue
		}
		name, ok := r.Text(entry{Key: value, Value: value}, "zone")
		if !ok {
			return
		}
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			r.Faultf(value, "unknown zone %q; write it as in Asia/Shanghai or Europe/Berlin, or leave it out for China", name)

			return
		}
		w.Zone = zone
	}
}

// momentLayouts are how a moment may be written. A day alone is its beginning.
var momentLayouts = []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", time.DateOnly}

func (r *reader) moment(e entry, what string, zone *time.Location) time.Time {
	text, ok := r.Scalar(e.Value, what)
	if !ok {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at
	}
	for _, layout := range momentLayouts {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at
		}
	}
	r.Faultf(e.Value, "%s %q is no time; write 2026-12-24 18:00, or 2026-12-24 for its beginning", what, text)

	return time.Time{}
}

var weekdays = map[string]time.Weekday{
	"mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday,
	"fri": time.Friday, "sat": time.Saturday, "sun": time.Sunday,
}

func (r *reader) days(e entry) []time.Weekday {
	var days []time.Weekday
	for _, v := range r.Texts(e, "days") {
		day, known := weekdays[strings.ToLower(v.Text)]
		if !known {
			r.Faultf(v.Node, "unknown day %q%s", v.Text, suggest.DidYouMean(v.Text, slices.Sorted(maps.Keys(weekdays))))

			continue
		}
		days = append(days, day)
	}

	return days
}

func (r *reader) hours(e entry) []route.Hours {
	var spans []route.Hours
	for _, v := range r.Texts(e, "hours") {
		first, last, found := strings.Cut(v.Text, "-")
		from, okFrom := minuteOf(first)
		until, okUntil := minuteOf(last)
		if !found || !okFrom || !okUntil || from == until {
			r.Faultf(v.Node, "hours %q is no span of the day; write 09:00-18:00, or 22:00-02:00 for one that goes past midnight", v.Text)

			continue
		}
		spans = append(spans, route.Hours{From: from, Until: until})
	}

	return spans
}

// minuteOf reads a time of day as minutes since midnight; 24:00 is the end of the day.
func minuteOf(text string) (int, bool) {
	const endOfDay = 24 * 60
	text = strings.TrimSpace(text)
	if text == "24:00" {
		return endOfDay, true
	}
	at, err := time.Parse("15:04", text)

	return at.Hour()*60 + at.Minute(), err == nil
}

// rollout reads who a rule is for while it is being introduced.
func (r *reader) rollout(e entry) *route.Rollout {
	out := &route.Rollout{Seed: r.rule}
	found, ok := r.Mapping(e.Value, "rollout", map[string]func(entry){
		"percent":   func(e entry) { out.Percent = r.Number(e, "percent", 0, 100) },
		"followers": func(e entry) { out.Followers = plain(r.Texts(e, "followers")) },
		"seed": func(e entry) {
			if seed, ok := r.Text(e, "seed"); ok {
				out.Seed = seed
			}
		},
	})
	if _, percent := found["percent"]; ok && !percent && len(out.Followers) == 0 {
		r.Faultf(e.Key, "rollout is for nobody; give it percent or followers")
	}

	return out
}
