package simulator

import "time"

// maxSummarySpan is how many days 获取用户增减数据 spans at most.
const maxSummarySpan = 7

// getUserSummary serves POST /datacube/getusersummary. The simulator keeps no
// statistics: the list is empty, as that of a day without changes is.
func (p *Platform) getUserSummary(r *apiRequest) apiAnswer {
	var asked struct {
		Begin string `json:"begin_date"`
		End   string `json:"end_date"`
	}
	if code := r.decode(&asked); code != codeOK {
		return refuse(code)
	}

	return answerStatistics(asked.Begin, asked.End, r.now)
}

// answerStatistics checks the days, the last of which must be over in China.
func answerStatistics(begin, end string, now time.Time) apiAnswer {
	first, err := time.ParseInLocation(time.DateOnly, begin, chinaTime)
	if err != nil {
		return refuse(codeDate)
	}
	last, err := time.ParseInLocation(time.DateOnly, end, chinaTime)
	if err != nil {
		return refuse(codeDate)
	}
	if last.Before(first) || !last.Before(first.AddDate(0, 0, maxSummarySpan)) || end >= dayOf(now) {
		return refuse(codeDateRange)
	}

	return answer(map[string]any{"list": []any{}})
}
