package callback

// outcome is how a delivery ended, for the metric gateway_callbacks_total.
type outcome string

// The outcomes.
const (
	// A human looked, or WeChat verified the URL.
	outcomeGreeted  outcome = "greeted"
	outcomeVerified outcome = "verified"

	// The delivery was answered with a reply, or with success because logic wanted no reply.
	outcomeReplied      outcome = "replied"
	outcomeAcknowledged outcome = "acknowledged"

	// The delivery was answered with success, though logic wanted a reply or might have.
	outcomeUnanswerable outcome = "unanswerable"  // the event can't be answered
	outcomeUnreadable   outcome = "unreadable"    // authentic, but it can't be opened or parsed
	outcomeInvalidReply outcome = "invalid_reply" // logic's reply broke a rule of WeChat's
	outcomeFailed       outcome = "failed"        // logic, or we, failed for good
	outcomeTimedOut     outcome = "timed_out"     // the budget ended
	outcomeHeld         outcome = "held"          // the caller waited longer than WeChat does
	outcomeMisaddressed outcome = "misaddressed"  // authentic, but for another account than it came to

	// The delivery was not answered.
	outcomeLapsed      outcome = "lapsed"      // WeChat closed the connection; it delivers again
	outcomeInterrupted outcome = "interrupted" // this replica stops; another delivery reaches another one

	// The request was refused.
	outcomeBadMethod    outcome = "bad_method"
	outcomeUnknown      outcome = "unknown_account"
	outcomeBadBody      outcome = "bad_body"
	outcomeTooLarge     outcome = "too_large"
	outcomeBadSignature outcome = "bad_signature"
	outcomeStale        outcome = "stale"
	outcomePlaintext    outcome = "plaintext"
	outcomeForeign      outcome = "foreign_address"
)
