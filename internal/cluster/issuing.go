package cluster

import (
	"slices"
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
		if !startedIssuing(c, time.Now().Add(-ahead)) || foreign(c.Spec.IssuerRef.Group) {
			continue
		}
		if requested == nil {
			requested = x.requested()
		}
		if requested[revision{c.Namespace, c.Name, nextRevision(c)}] {
			continue
		}
		n := orderedNames(c.Spec.DNSNames, c.Spec.CommonName, c.Spec.IPAddresses)
		w, _ := x.wanted(refIn(c.Namespace, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Name), c.Namespace, c.Labels, n)
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
	list    []*cmv1.Certificate
}

func (m *issuing) of(x *Cluster) []*cmv1.Certificate {
	changes := x.Changes()
	if known := m.last.Load(); known != nil && known.changes == changes {
		return known.list
	}
	now := &issuingAt{changes: changes}
	for _, o := range x.certificates.list() {
		if c := o.(*cmv1.Certificate); isIssuing(c) {
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
		r := o.(*cmv1.CertificateRequest)
		out[revision{r.Namespace, r.Annotations[cmv1.CertificateNameKey], r.Annotations[cmv1.CertificateRequestRevisionAnnotationKey]}] = true
	}
	return out
}

// startedIssuing reports whether a Certificate is being issued, and that only began
// after a time.
func startedIssuing(c *cmv1.Certificate, after time.Time) bool {
	return isIssuing(c) && slices.ContainsFunc(c.Status.Conditions, func(condition cmv1.CertificateCondition) bool {
		return condition.Type == cmv1.CertificateConditionIssuing && (condition.LastTransitionTime == nil || condition.LastTransitionTime.After(after))
	})
}
