package cluster

import (
	"regexp"
	"slices"
	"strings"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
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
	Ready       bool
	Reason      string // cert-manager's words, when it is not ready
	NotAfter    *time.Time
	RenewalTime *time.Time
}

// Certificates returns those that use us, sorted by namespace and name. Where an
// Issuer has an HTTP-01 solver too, that takes every name but the wildcards, so
// those alone are listed.
func (x *Cluster) Certificates() (list []Certificate) {
	specs := map[string]cmv1.IssuerSpec{} // of Issuers that use us, by kind, namespace and name
	for _, o := range x.issuers.list() {
		i := o.(*cmv1.Issuer)
		specs["Issuer/"+i.Namespace+"/"+i.Name] = i.Spec
	}
	for _, o := range x.clusterIssuers.list() {
		i := o.(*cmv1.ClusterIssuer)
		specs["ClusterIssuer//"+i.Name] = i.Spec
	}
	for _, o := range x.certificates.list() {
		c := o.(*cmv1.Certificate)
		kind, namespace := c.Spec.IssuerRef.Kind, c.Namespace
		switch kind {
		case "":
			kind = "Issuer"
		case "ClusterIssuer":
			namespace = ""
		}
		spec, ok := specs[kind+"/"+namespace+"/"+c.Spec.IssuerRef.Name]
		if !ok || spec.ACME == nil {
			continue
		}
		names := x.names(spec.ACME.Solvers, c.Spec.DNSNames)
		if len(names) == 0 {
			continue
		}
		certificate := x.certificate(c, kind, names)
		certificate.Directory = spec.ACME.Server
		list = append(list, certificate)
	}
	slices.SortFunc(list, func(a, b Certificate) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return list
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

// names returns those of a Certificate's names that the solvers may hand to us.
func (x *Cluster) names(solvers []acmev1.ACMEChallengeSolver, names []string) []string {
	us, http := false, false
	for _, s := range solvers {
		us = us || x.config.solves(s)
		http = http || s.HTTP01 != nil && s.Selector == nil && !us // the first that fits wins
	}
	if !us {
		return nil
	}
	if !http {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasPrefix(n, "*.") })
}

func (x *Cluster) certificate(c *cmv1.Certificate, kind string, names []string) Certificate {
	out := Certificate{
		Namespace: c.Namespace, Name: c.Name, Secret: c.Spec.SecretName, DNSNames: names,
		Scope: x.scope(kind, c.Namespace), Issuer: kind + "/" + c.Spec.IssuerRef.Name,
	}
	for _, condition := range c.Status.Conditions {
		if condition.Type == cmv1.CertificateConditionReady {
			out.Ready = condition.Status == cmmeta.ConditionTrue
			if !out.Ready {
				out.Reason = condition.Message
			}
		}
	}
	if t := c.Status.NotAfter; t != nil {
		out.NotAfter = &t.Time
	}
	if t := c.Status.RenewalTime; t != nil {
		out.RenewalTime = &t.Time
	}
	return out
}

// IsReady reports whether a Certificate is Ready as it is specified now, and not
// being issued again.
func IsReady(c *cmv1.Certificate) bool {
	ready := false
	for _, condition := range c.Status.Conditions {
		if condition.Type == cmv1.CertificateConditionIssuing && condition.Status == cmmeta.ConditionTrue {
			return false
		}
		ready = ready || condition.Type == cmv1.CertificateConditionReady && condition.Status == cmmeta.ConditionTrue &&
			condition.ObservedGeneration == c.Generation
	}
	return ready
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// CertificateName returns the name that a Certificate gets if nobody chooses
// another, from the first of its DNS names: wildcard-example-com for *.example.com.
func CertificateName(dnsName string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.Replace(dnsName, "*.", "wildcard-", 1), "-"), "-")
}
