package check

// Status is how a check ended.
type Status string

// What a check can say. Unknown is never a guess: the DNS gave no usable answer.
const (
	OK      Status = "ok"
	Warning Status = "warning" // works, but not as well as it should, or not for long
	Failed  Status = "failed"
	Unknown Status = "unknown"
)

// Finding is one finding. The same sentences are shown by the command line, the
// status page, events and JSON, so none of them has anything in it that changes
// from one try to the next.
type Finding struct {
	Check   string `json:"check"`            // which check: a stable identifier, such as "cname-missing"
	Subject string `json:"subject"`          // the name or address that it is about
	Status  Status `json:"status"`           //
	Wanted  string `json:"wanted,omitempty"` // what should be there
	Seen    string `json:"seen,omitempty"`   // what is there
	Hint    string `json:"hint,omitempty"`   // what to do, and perhaps in the words of the domain's DNS provider; empty if nothing is to be done
}

// Permits reports whether a finding about the record of a domain's owner lets a
// challenge go on.
func (f Finding) Permits() bool { return f.Status == OK || f.Status == Warning }

// OtherScope reports whether a finding about the record of a domain's owner is that it
// leads into our zone, for another scope or domain.
func (f Finding) OtherScope() bool { return f.Check == cnameOtherScope }
