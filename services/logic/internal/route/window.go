package route

import (
	"slices"
	"time"
)

// Window is a time window (时间段). Every part that is set must hold; the zero Window is always.
type Window struct {
	// From and Until bound it, the former included, the latter not. Zero: no bound.
	From, Until time.Time
	// Days are days of the week.
	Days []time.Weekday
	// Hours are spans of the day.
	Hours []Hours
	// Zone is where Days and Hours are read off a clock. Nil: UTC.
	Zone *time.Location
}

// Hours is a span of the day, in minutes since midnight, the first included, the last not. One that ends
// before it begins goes past midnight.
type Hours struct{ From, Until int }

// Contains reports whether a moment is in the window. The hours after midnight belong to the day on which the
// span began: 22:00-02:00 on Friday ends on Saturday morning.
func (w *Window) Contains(at time.Time) bool {
	if (!w.From.IsZero() && at.Before(w.From)) || (!w.Until.IsZero() && !at.Before(w.Until)) {
		return false
	}
	zone := w.Zone
	if zone == nil {
		zone = time.UTC
	}
	local := at.In(zone)
	if len(w.Hours) == 0 {
		return w.on(local.Weekday())
	}
	minute := local.Hour()*minutesPerHour + local.Minute()
	return slices.ContainsFunc(w.Hours, func(h Hours) bool {
		switch {
		case h.From < h.Until:
			return minute >= h.From && minute < h.Until && w.on(local.Weekday())
		case minute >= h.From:
			return w.on(local.Weekday())
		default:
			return minute < h.Until && w.on(local.AddDate(0, 0, -1).Weekday())
		}
	})
}

const minutesPerHour = 60

func (w *Window) on(day time.Weekday) bool { return len(w.Days) == 0 || slices.Contains(w.Days, day) }
