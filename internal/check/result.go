package check

// Status is how a check ended.
type Status string

// What a check can say. Unknown is never a guess: the DNS did not tell.
const (
	OK      Status = "ok"
	Warning Status = "warning" // works, but not as well as it should, or not for long
	Failed  Status = "failed"
	Unknown Status = "unknown"
)

// Result is one finding. The same sentences are shown by the command line, the
// status page, events and JSON, so none of them has anything in it that changes
// from one try to the next.
type Result struct {
	Check   string `json:"check"`            // which check: a stable identifier, such as "cname-missing"
	Subject string `json:"subject"`          // the name or address that it is about
	Status  Status `json:"status"`           //
	Wanted  string `json:"wanted,omitempty"` // what should be there
	Seen    string `json:"seen,omitempty"`   // what is there
	Hint    string `json:"hint,omitempty"`   // one sentence: what to do; empty if nothing is to be done
}

// Record is a DNS record that somebody has to add.
type Record struct {
	Name  string `json:"name"`  // owner, lower-case A-labels, no final dot
	Type  string `json:"type"`  // NS, A, AAAA or CNAME
	Value string `json:"value"` // RDATA in presentation form; names without final dot
	Why   string `json:"why"`   // one sentence for the person who adds it
}
