package cluster

import (
	"iter"
	"slices"
	"strings"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

// The kinds of Issuers.
const (
	kindIssuer        = cmv1.IssuerKind
	kindClusterIssuer = cmv1.ClusterIssuerKind
)

// IssuerRef names an Issuer or a ClusterIssuer. The API group is left out, because
// cert-manager's Orders controller ignores it.
type IssuerRef struct {
	Kind      string // Issuer or ClusterIssuer
	Namespace string // empty for a ClusterIssuer
	Name      string
}

// String returns Issuer/namespace/name or ClusterIssuer/name.
func (r IssuerRef) String() string {
	if r.Kind == kindClusterIssuer {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// ParseIssuerRef is the reverse of String.
func ParseIssuerRef(s string) (r IssuerRef, ok bool) {
	parts := strings.Split(s, "/")
	switch {
	case slices.Contains(parts, ""):
	case len(parts) == 2 && parts[0] == kindClusterIssuer:
		return IssuerRef{Kind: parts[0], Name: parts[1]}, true
	case len(parts) == 3 && parts[0] == kindIssuer:
		return IssuerRef{Kind: parts[0], Namespace: parts[1], Name: parts[2]}, true
	}
	return r, false
}

// refIn is the Issuer that an object in a namespace names, as cert-manager reads
// it: no kind means Issuer, any other does not exist.
func refIn(namespace, kind, name string) IssuerRef {
	switch kind {
	case kindClusterIssuer:
		return IssuerRef{Kind: kind, Name: name}
	case "", kindIssuer:
		return IssuerRef{Kind: kindIssuer, Namespace: namespace, Name: name}
	}
	return IssuerRef{Kind: kind, Namespace: namespace, Name: name}
}

// foreign reports whether a group in an issuerRef is of Issuers that are not
// cert-manager's. cert-manager leaves Certificates and CertificateRequests for those
// alone, but not Orders.
func foreign(group string) bool {
	return group != "" && group != cmv1.SchemeGroupVersion.Group
}

// issuer is what we need to know of one.
type issuer struct {
	acme    *acmev1.ACMEIssuer // nil for one that is not of the type ACME
	account string             // URI of its ACME account, empty while cert-manager has not registered what is specified
}

func issuerOf(i cmv1.GenericIssuer) issuer {
	out := issuer{acme: i.GetSpec().ACME}
	if s := i.GetStatus(); s != nil && s.ACME != nil && isObserved(i) {
		out.account = s.ACME.URI
	}
	return out
}

// isObserved reports whether an Issuer's status is about its spec as it is now:
// after a change the account in it is the one of before, while cert-manager may
// work with the new one already.
func isObserved(i cmv1.GenericIssuer) bool {
	return !slices.ContainsFunc(i.GetStatus().Conditions, func(c cmv1.IssuerCondition) bool {
		return c.Type == cmv1.IssuerConditionReady && c.ObservedGeneration < i.GetGeneration()
	})
}

// issuer returns the Issuer with that name; ok is false if it is not known.
func (x *Cluster) issuer(ref IssuerRef) (_ issuer, ok bool) {
	k, key := &x.issuers, ref.Namespace+"/"+ref.Name
	if ref.Kind == kindClusterIssuer {
		k, key = &x.clusterIssuers, ref.Name
	} else if ref.Kind != kindIssuer {
		return issuer{}, false
	}
	if !k.synced() {
		return issuer{}, false
	}
	o, found, err := k.informer.GetStore().GetByKey(key)
	if err != nil || !found {
		return issuer{}, false
	}
	return issuerOf(o.(cmv1.GenericIssuer)), true
}

// allIssuers goes through all Issuers and ClusterIssuers that are known.
func (x *Cluster) allIssuers() iter.Seq2[IssuerRef, issuer] {
	return func(yield func(IssuerRef, issuer) bool) {
		for _, o := range x.clusterIssuers.list() {
			i := o.(*cmv1.ClusterIssuer)
			if !yield(IssuerRef{Kind: kindClusterIssuer, Name: i.Name}, issuerOf(i)) {
				return
			}
		}
		for _, o := range x.issuers.list() {
			i := o.(*cmv1.Issuer)
			if !yield(IssuerRef{Kind: kindIssuer, Namespace: i.Namespace, Name: i.Name}, issuerOf(i)) {
				return
			}
		}
	}
}

// webhookOf returns what names a webhook solver with that name, in any group;
// nil if the solver is another.
func webhookOf(s acmev1.ACMEChallengeSolver, name string) *acmev1.ACMEIssuerDNS01ProviderWebhook {
	if s.DNS01 == nil || s.DNS01.Webhook == nil || s.DNS01.Webhook.SolverName != name {
		return nil
	}
	return s.DNS01.Webhook
}

// webhooks returns those of an Issuer's solvers that webhookOf knows.
func webhooks(acme *acmev1.ACMEIssuer, name string) iter.Seq[*acmev1.ACMEIssuerDNS01ProviderWebhook] {
	return func(yield func(*acmev1.ACMEIssuerDNS01ProviderWebhook) bool) {
		if acme == nil {
			return
		}
		for _, s := range acme.Solvers {
			if w := webhookOf(s, name); w != nil && !yield(w) {
				return
			}
		}
	}
}

// solves reports whether a solver is us.
func (c Config) solves(s acmev1.ACMEChallengeSolver) bool {
	w := webhookOf(s, c.Solver)
	return w != nil && w.GroupName == c.Group
}

// uses reports whether an Issuer has us among its solvers.
func (c Config) uses(i issuer) bool {
	return i.acme != nil && slices.ContainsFunc(i.acme.Solvers, c.solves)
}

// OtherGroup is an Issuer that names our solver in an API group that is not ours:
// of another installation, or by mistake.
type OtherGroup struct {
	Issuer string // Issuer/namespace/name or ClusterIssuer/name
	Group  string
}

// OtherGroups returns them, sorted; none while Issuers are not followed.
func (x *Cluster) OtherGroups() (list []OtherGroup) {
	for ref, i := range x.allIssuers() {
		for w := range webhooks(i.acme, x.config.Solver) {
			if w.GroupName != x.config.Group {
				list = append(list, OtherGroup{Issuer: ref.String(), Group: w.GroupName})
			}
		}
	}
	slices.SortFunc(list, func(a, b OtherGroup) int { return strings.Compare(a.Issuer+a.Group, b.Issuer+b.Group) })
	return slices.Compact(list)
}
