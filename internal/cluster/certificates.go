package cluster

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
)

// Certificate is one whose Issuer has us among its solvers.
type Certificate struct {
	Namespace   string
	Name        string
	Secret      string
	DNSNames    []string // those that can come to us: see Certificates
	Scope       string   // of the targets
	Issuer      string   // kind/name
	Directory   string   // URL of the CA's ACME directory
	Account     string   // URI of the Issuer's account there; empty before it is registered
	IssuerReady bool     // cert-manager has found the Issuer, as it is specified, to work
	Ready       bool
	Reason      string // cert-manager's words, when it is not ready
	NotAfter    *time.Time
	RenewalTime *time.Time
}

// Certificates returns those that use us, sorted by namespace and name, with the
// names that cert-manager's own selection gives to us.
func (x *Cluster) Certificates() (list []Certificate) {
	issuers := x.issuersChanged.Load()
	for _, o := range x.certificates.list() {
		c := o.(*certificate)
		if known := c.memo.of(issuers, func() (Certificate, bool) { return x.certificate(c) }); known != nil {
			list = append(list, *known)
		}
	}
	slices.SortFunc(list, func(a, b Certificate) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return list
}

// certificate returns ok false for a Certificate that has nothing to do with us.
func (x *Cluster) certificate(c *certificate) (out Certificate, ok bool) {
	issuer := c.issuer.Value()
	ref := refIn(c.Namespace, issuer.Kind, issuer.Name)
	i, ok := x.issuer(ref)
	if !ok || i.acme == nil || foreign(issuer.Group) {
		return out, false
	}
	n := c.names
	n.dns = n.dns[:min(len(n.dns), MaxNames)] // one with more is never issued
	dnsNames := x.config.selected(i.acme.Solvers, c.Labels, n.dns)
	scope := x.scope(ref.Kind, c.Namespace)
	if covered, _ := x.covered(ref, i, c.Namespace, n); covered {
		dnsNames, scope = n.dns, c.Namespace
	}
	if len(dnsNames) == 0 {
		return out, false
	}
	return Certificate{
		Namespace: c.Namespace, Name: c.Name, Secret: c.secret, DNSNames: dnsNames,
		Scope: scope, Issuer: ref.Kind + "/" + ref.Name, Directory: i.acme.Server, Account: i.account, IssuerReady: i.ready,
		Ready: c.ready, Reason: c.reason, NotAfter: c.notAfter, RenewalTime: c.renewal,
	}, true
}

// Scopes returns the scopes that targets are known to be wanted in, sorted.
func (x *Cluster) Scopes() []string {
	scopes := []string{x.config.Namespace}
	for _, c := range x.Certificates() {
		scopes = append(scopes, c.Scope)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// FollowsCertificates reports whether Certificates has read everything.
func (x *Cluster) FollowsCertificates() bool {
	return x.certificates.synced() && x.issuers.synced() && x.clusterIssuers.synced()
}

// IsReady reports whether a Certificate is Ready as it is specified now, and not
// being issued again.
func IsReady(c *cmv1.Certificate) bool {
	return !isIssuing(c) && slices.ContainsFunc(c.Status.Conditions, func(condition cmv1.CertificateCondition) bool {
		return condition.Type == cmv1.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue &&
			condition.ObservedGeneration == c.Generation
	})
}

func isIssuing(c *cmv1.Certificate) bool {
	return slices.ContainsFunc(c.Status.Conditions, func(condition cmv1.CertificateCondition) bool {
		return condition.Type == cmv1.CertificateConditionIssuing && condition.Status == cmmeta.ConditionTrue
	})
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// CertificateName returns the name that a Certificate gets if nobody chooses
// another, from the first of its DNS names: wildcard-example-com for *.example.com.
func CertificateName(dnsName string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.Replace(dnsName, "*.", "wildcard-", 1), "-"), "-")
}
