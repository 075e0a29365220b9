package simulator

import (
	"time"

	"github.com/wxstack/wxstack/simulator/internal/errcode"
	"github.com/wxstack/wxstack/simulator/internal/quota"
)

// maxSummarySpan is how many days 获取用户增减数据 spans at most.
const maxSummarySpan = 7

// getUserSummary serves POST /datacube/getusersummary. The simulator keeps no
// statistics: the list is empty, as that of a day without changes is.
func (p *Platform) getUserSummary(r *apiRequest) apiAnswer {
	var asked struct {
		Begin string `json:"begin_date"`
		End   string `json:"end_date"`
	}
	if code := r.decode(&asked); code != errcode.OK {
		return refuse(code)
	}

	return answerStatistics(asked.Begin, asked.End, r.now)
}

// answerStatistics checks the days, the last of which must be over in China.
func answerStatistics(begin, end string, now time.Time) apiAnswer {
	first, err := time.ParseInLocation(time.DateOnly, begin, quota.China)
	if err != nil {
		return refuse(errcode.Date)
	}
	last, err := time.ParseInLocation(time.DateOnly, end, quota.China)
	if err != nil {
		return refuse(errcode.Date)
	}
	if last.Before(first) || !last.Before(first.AddDate(0, 0, maxSummarySpan)) || end >= quota.DayOf(now) {
		return refuse(errcode.DateRange)
	}

	return answer(map[string]any{"list": []any{}})
}
