// Package doctor finds out why an account does not get its tokens, or would not be served with them, and
// says where to mend it. It changes nothing.
//
// Gathering facts and judging them are apart: examine.go asks Redis, the refreshers and WeChat; judge.go
// makes findings of facts and asks nobody.
package doctor

import "slices"

// Severity says whether somebody has to do something.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning" // something works less well than it should, or will stop working.
	Fault   Severity = "fault"   // something does not work.
)

// Finding is the outcome of one check.
type Finding struct {
	// AppID is empty where the finding is about token-center itself.
	AppID    string   `json:"app_id,omitempty"`
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	// Remedy says what to do and where; it is empty when there is nothing to do.
	Remedy string `json:"remedy,omitempty"`
}

// The checks.
const (
	checkRedis       = "redis"
	checkStorageKey  = "storage_key"
	checkAppID       = "app_id"
	checkAppSecret   = "app_secret"
	checkAllowList   = "ip_allow_list"
	checkToken       = "token"
	checkBudget      = "token_budget"
	checkQuota       = "quota"
	checkPermissions = "permissions"
	checkCallback    = "callback"
	checkClock       = "clock"
	checkWeChat      = "wechat"
)

// HasFault reports whether something does not work.
func HasFault(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Fault })
}
