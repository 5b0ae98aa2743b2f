package cluster

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Wanted is what an Order, or the request that it will be made for, wants of us.
// It depends on that object and on the Issuers alone.
type Wanted struct {
	Issuer    IssuerRef
	Protected bool          // nobody but cert-manager may create Orders for this Issuer, and nobody may change them
	Targets   []zone.Target // where the owners' records have to point, each once, sorted by domain
	Refused   string        // a sentence: why this can never be issued as it is; empty if it can
}

// Ours reports whether the gate has anything to decide.
func (w Wanted) Ours() bool { return w.Protected || w.Refused != "" || len(w.Targets) > 0 }

// Order returns what an Order wants.
func (x *Cluster) Order(o *acmev1.Order) Wanted {
	return x.wanted(refIn(o.Namespace, o.Spec.IssuerRef.Kind, o.Spec.IssuerRef.Name), o.Namespace, o.Labels,
		orderedNames(o.Spec.DNSNames, o.Spec.CommonName, o.Spec.IPAddresses))
}

// wanted returns what an Order in a namespace, with those labels, would want.
func (x *Cluster) wanted(ref IssuerRef, namespace string, labels map[string]string, n names) Wanted {
	w := Wanted{Issuer: ref, Protected: slices.Contains(x.config.Protected, ref)}
	i, known := x.issuer(ref)
	if !known || i.acme == nil {
		if w.Protected {
			w.Refused = fmt.Sprintf("%s, whose certificates Signpost guards, cannot be read; if it exists, this passes within seconds", ref)
		}
		return w
	}
	if x.config.Strict {
		if covered, refused := x.covered(ref, i, namespace, n); covered {
			w.Protected = true
			w.add(x.config.Zone, namespace, n.dns)
			w.Refused = cmp.Or(refused, w.Refused)
			return w
		}
	}
	scope := ref.Namespace
	if ref.Kind == kindClusterIssuer {
		scope = x.config.Namespace
	}
	var dnsNames []string
	for _, name := range n.dns {
		if config, ours := x.config.picked(i.acme.Solvers, labels, name); ours && !x.config.unchecked(config) {
			dnsNames = append(dnsNames, name)
		}
	}
	w.add(x.config.Zone, scope, dnsNames)
	return w
}

// add adds the targets of some names. The first name that can have none is the
// reason for a refusal.
func (w *Wanted) add(z *zone.Zone, scope string, dnsNames []string) {
	for _, name := range dnsNames {
		target, err := z.Target(scope, name)
		switch {
		case err != nil && w.Refused == "":
			w.Refused = err.Error()
		case err == nil && !slices.Contains(w.Targets, target):
			w.Targets = append(w.Targets, target)
		}
	}
}

// unchecked reports whether a solver's config turns the look at the CNAME off.
func (c Config) unchecked(config *apiextensionsv1.JSON) bool {
	return c.Unchecked != nil && c.Unchecked(config)
}

// covered reports whether a strict ClusterIssuer's rule counts for an Issuer: it is
// one, or it shares the ACME account of one. For the CA an account is one tenant,
// so that what one Issuer has proved every other of the account can use. refused is
// why an Order for n in namespace can never be let through.
func (x *Cluster) covered(ref IssuerRef, i issuer, namespace string, n names) (covered bool, refused string) {
	strict := ref.Kind == kindClusterIssuer && x.config.uses(i)
	accounts := x.strictAccounts()
	switch {
	case strict:
	case i.account == "" && len(accounts) > 0:
		return true, fmt.Sprintf("%s has no ACME account yet, so it is not known whether it shares one that Signpost guards; it is retried", ref)
	case !slices.Contains(accounts, i.account):
		return false, ""
	}
	switch {
	case !slices.Contains(x.config.Protected, ref):
		return true, fmt.Sprintf("%s uses the ACME account of a ClusterIssuer with strict namespaces, and is not among orderGate.issuers of Signpost's chart (--gate-issuer); add it there, or give it an account of its own", ref)
	case namespace == x.config.Namespace && !x.config.GateClusterNamespace:
		return true, fmt.Sprintf("with strict namespaces no certificate is issued in %s, cert-manager's cluster resource namespace, unless orderGate.clusterNamespace is true in the values of Signpost's chart; request it in a namespace of its own", namespace)
	case len(n.ips) > 0:
		return true, fmt.Sprintf("the IP address %s has no owner's record that could permit it for namespace %s; leave IP addresses out", printable(n.ips[0]), namespace)
	case slices.ContainsFunc(i.acme.Solvers, func(s acmev1.ACMEChallengeSolver) bool {
		return x.config.solves(s) && x.config.unchecked(s.DNS01.Webhook.Config)
	}):
		return true, fmt.Sprintf("%s has checkCNAME: false, which cannot be used with strict namespaces; take it out of the solver's config", ref)
	}
	return true, ""
}

// strictAccounts returns the ACME accounts of the ClusterIssuers that use us.
func (x *Cluster) strictAccounts() (accounts []string) {
	for ref, i := range x.allIssuers() {
		if ref.Kind == kindClusterIssuer && x.config.uses(i) && i.account != "" {
			accounts = append(accounts, i.account)
		}
	}
	return accounts
}

// Unnamed returns the Issuers whose Orders are denied until they are named: they
// share the account of a ClusterIssuer with strict namespaces, or are one. Sorted.
func (x *Cluster) Unnamed() (list []IssuerRef) {
	if !x.config.Strict || !x.config.Gate {
		return nil
	}
	accounts := x.strictAccounts()
	for ref, i := range x.allIssuers() {
		strict := ref.Kind == kindClusterIssuer && x.config.uses(i)
		if (strict || i.account != "" && slices.Contains(accounts, i.account)) && !slices.Contains(x.config.Protected, ref) {
			list = append(list, ref)
		}
	}
	slices.SortFunc(list, func(a, b IssuerRef) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// printable keeps an address that may be any text out of sentences.
func printable(ip string) string {
	if a := net.ParseIP(ip); a != nil {
		return a.String()
	}
	return "in it"
}
