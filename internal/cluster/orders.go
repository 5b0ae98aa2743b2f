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
	Others    []zone.Target // where they may point, and nowhere else in our zone: another solver validates these names
	Refused   string        // a sentence: why this can never be issued as it is; empty if it can
}

// Ours reports whether the gate has anything to decide.
func (w Wanted) Ours() bool {
	return w.Protected || w.Refused != "" || len(w.Targets)+len(w.Others) > 0
}

// MaxNames is how many names an Order may have that we look at. CAs take no more.
const MaxNames = 100

const (
	unread  = "Signpost has not read the Issuers of this cluster yet, and cannot tell whose records this Order needs; it is retried"
	missing = "%s does not exist, or Signpost cannot read it, so it is not known whether its certificates are to be guarded; if it exists, this passes within seconds"
	tooMany = "an Order that Signpost decides on has at most %d names; split the Certificate"
)

// Order returns what an Order wants.
func (x *Cluster) Order(o *acmev1.Order) Wanted {
	ref := refIn(o.Namespace, o.Spec.IssuerRef.Kind, o.Spec.IssuerRef.Name)
	w, known := x.wanted(ref, o.Namespace, o.Labels, orderedNames(o.Spec.DNSNames, o.Spec.CommonName, o.Spec.IPAddresses))
	// An Order that somebody made for an Issuer that does not exist yet would be
	// processed, without a review, as soon as it does.
	if guarded := w.Protected || x.config.Strict; x.config.Gate && guarded && !known {
		w.Refused = fmt.Sprintf(missing, ref)
		if !x.Ready() {
			w.Refused = unread
		}
	}
	return w
}

// wanted returns what an Order in a namespace, with those labels, would want. It
// returns known false if nothing is known of the Issuer.
func (x *Cluster) wanted(ref IssuerRef, namespace string, labels map[string]string, n names) (w Wanted, known bool) {
	w = Wanted{Issuer: ref, Protected: slices.Contains(x.config.Protected, ref)}
	if !x.Ready() { // it takes all of them to know who shares an account
		return w, false
	}
	i, known := x.issuer(ref)
	if !known || i.acme == nil {
		return w, known
	}
	covered, refused := x.covered(ref, i, namespace, n)
	scope, dnsNames := x.scope(ref.Kind, namespace), n.dns
	switch {
	case covered:
		w.Protected, scope = true, namespace
	case !x.config.uses(i) && !x.config.GateOthers:
		return w, true
	}
	if len(n.dns) > MaxNames { // before anything is done for each
		w.Refused = cmp.Or(refused, fmt.Sprintf(tooMany, MaxNames))
		return w, true
	}
	if !covered {
		var others []string
		dnsNames, others = x.config.divided(i.acme.Solvers, labels, n.dns)
		if x.config.GateOthers {
			w.Others, _ = targetsOf(x.config.Zone, scope, others) // a name that can have none is no owner's of ours
		}
	}
	w.Targets, w.Refused = targetsOf(x.config.Zone, scope, dnsNames)
	w.Refused = cmp.Or(refused, w.Refused)
	return w, true
}

// targetsOf returns the targets of some names, and why the first name that can have
// none has none.
func targetsOf(z *zone.Zone, scope string, dnsNames []string) (list []zone.Target, refused string) {
	for _, name := range dnsNames {
		target, err := z.Target(scope, name)
		switch {
		case err != nil && refused == "":
			refused = err.Error()
		case err == nil && !slices.Contains(list, target):
			list = append(list, target)
		}
	}
	slices.SortFunc(list, func(a, b zone.Target) int { return strings.Compare(a.Domain, b.Domain) })
	return list, refused
}

// unchecked reports whether a solver's config turns the look at the CNAME off.
func (c Config) unchecked(config *apiextensionsv1.JSON) bool {
	return c.Unchecked != nil && c.Unchecked(config)
}

// covered reports whether a strict ClusterIssuer's rule counts for an Issuer: it is
// one, or it shares the ACME account of one. refused is why an Order for n in
// namespace can never be let through.
func (x *Cluster) covered(ref IssuerRef, i issuer, namespace string, n names) (covered bool, refused string) {
	if !x.config.Strict || !x.config.Gate {
		return false, ""
	}
	switch guarded := x.guardedAccounts(); {
	case x.isStrict(ref, i) || guarded.any(x.config.tenants(ref, i)):
	case i.account == "" && !guarded.empty():
		return true, fmt.Sprintf("%s has no ACME account yet, so it is not known whether it shares one that Signpost guards; it is retried", ref)
	default:
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

// isStrict reports whether an Issuer is a ClusterIssuer that uses us.
func (x *Cluster) isStrict(ref IssuerRef, i issuer) bool {
	return ref.Kind == kindClusterIssuer && x.config.uses(i)
}

// guardedAccounts returns the ACME accounts of the ClusterIssuers that use us, or did.
func (x *Cluster) guardedAccounts() *tenants {
	for _, o := range x.clusterIssuers.list() { // the handler may not have been called yet
		x.strict.note(x.config, o)
	}
	return &x.strict
}

// Unnamed returns the Issuers whose Orders are denied until they are named: they
// share the account of a ClusterIssuer with strict namespaces, or are one. Sorted.
func (x *Cluster) Unnamed() (list []IssuerRef) {
	if !x.config.Strict || !x.config.Gate {
		return nil
	}
	guarded := x.guardedAccounts()
	for ref, i := range x.allIssuers() {
		if (x.isStrict(ref, i) || guarded.any(x.config.tenants(ref, i))) && !slices.Contains(x.config.Protected, ref) {
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
