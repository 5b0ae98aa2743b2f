package status

import (
	"slices"

	"github.com/signpost-acme/signpost/internal/check"
)

// MissingRecord is the finding for a domain whose CNAME is not there.
const MissingRecord = "cname-missing"

// NeverIssued reports whether none of a domain's Certificates has been issued, so that
// nothing is to be lost.
func (d *Domain) NeverIssued() bool {
	return !slices.ContainsFunc(d.Certificates, func(c Certificate) bool { return c.NotAfter != nil })
}

// WaitsForRecord reports whether nothing is wrong but that the record has not been added
// yet, for the first certificate: that is no fault of the installation, and may stay so.
func (d *Domain) WaitsForRecord() bool {
	missing := false
	for _, f := range d.Checks {
		if f.Status == check.Failed && f.Check != MissingRecord {
			return false
		}
		missing = missing || f.Check == MissingRecord
	}
	return missing && d.NeverIssued() && !slices.ContainsFunc(d.Requests, func(r Request) bool { return r.Refused != "" }) &&
		!slices.ContainsFunc(d.Challenges, Challenge.Failed)
}

// Awaited returns which other domain keeps a Certificate of this one from being issued or
// renewed, and the finding there; "" for none.
func (d *Domain) Awaited() (domain, because string) {
	for _, c := range d.Certificates {
		if f := c.Forecast; f.Outlook != Renewing && f.Domain != "" && f.Domain != d.Name {
			return f.Domain, f.Because
		}
	}
	return "", ""
}
