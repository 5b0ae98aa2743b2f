package cluster

import (
	"strconv"
	"sync/atomic"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

// ahead is for how long a Certificate that is issued without a request yet is
// looked at: cert-manager makes the request in a moment.
const ahead = time.Minute

// Issuing returns what the Certificates want that are about to be issued, before
// there is a request for them. All of them have targets, or others.
func (x *Cluster) Issuing() (list []Wanted) {
	var requested map[revision]bool
	for _, c := range x.issuing.of(x) {
		issuer := c.issuer.Value()
		if !c.startedIssuing(time.Now().Add(-ahead)) || foreign(issuer.Group) {
			continue
		}
		if requested == nil {
			requested = x.requested()
		}
		if requested[revision{c.Namespace, c.Name, c.revision}] {
			continue
		}
		w, _ := x.wanted(refIn(c.Namespace, issuer.Kind, issuer.Name), c.Namespace, c.Labels, c.names)
		if len(w.Targets)+len(w.Others) > 0 {
			list = append(list, w)
		}
	}
	return list
}

// issuing are the Certificates that are being issued: few, of many that are gone
// through only after a change. The zero value knows none.
type issuing struct{ last atomic.Pointer[issuingAt] }

type issuingAt struct {
	changes uint64
	list    []*certificate
}

func (m *issuing) of(x *Cluster) []*certificate {
	changes := x.Changes()
	if known := m.last.Load(); known != nil && known.changes == changes {
		return known.list
	}
	now := &issuingAt{changes: changes}
	for _, o := range x.certificates.list() {
		if c := o.(*certificate); c.issuing {
			now.list = append(now.list, c)
		}
	}
	m.last.Store(now)
	return now.list
}

// revision is one issuance of a Certificate.
type revision struct{ namespace, certificate, number string }

func nextRevision(c *cmv1.Certificate) string {
	if c.Status.Revision == nil {
		return "1"
	}
	return strconv.Itoa(*c.Status.Revision + 1)
}

// requested returns the issuances that there is a request for.
func (x *Cluster) requested() map[revision]bool {
	out := map[revision]bool{}
	for _, o := range x.requests.list() {
		r := o.(*request)
		out[revision{r.Namespace, r.certificate, r.revision}] = true
	}
	return out
}

// startedIssuing reports whether a Certificate is being issued, and that only began
// after a time.
func (c *certificate) startedIssuing(after time.Time) bool {
	return c.issuing && (c.since.IsZero() || c.since.After(after))
}
