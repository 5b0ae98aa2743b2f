package cluster

import (
	"iter"
	"slices"
	"strings"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

// webhookOf returns what names a webhook solver with that name, in whatever group;
// nil if the solver is another.
func webhookOf(s acmev1.ACMEChallengeSolver, name string) *acmev1.ACMEIssuerDNS01ProviderWebhook {
	if s.DNS01 == nil || s.DNS01.Webhook == nil || s.DNS01.Webhook.SolverName != name {
		return nil
	}
	return s.DNS01.Webhook
}

// webhooks returns those of an Issuer's solvers that webhookOf knows.
func webhooks(spec cmv1.IssuerSpec, name string) iter.Seq[*acmev1.ACMEIssuerDNS01ProviderWebhook] {
	return func(yield func(*acmev1.ACMEIssuerDNS01ProviderWebhook) bool) {
		if spec.ACME == nil {
			return
		}
		for _, s := range spec.ACME.Solvers {
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

// OtherGroup is an Issuer that names our solver in an API group that is not ours:
// of another installation, or by mistake.
type OtherGroup struct {
	Issuer string // Issuer/namespace/name or ClusterIssuer/name
	Group  string
}

// OtherGroups returns them, sorted; none while Issuers are not followed.
func (x *Cluster) OtherGroups() (list []OtherGroup) {
	add := func(issuer string, spec cmv1.IssuerSpec) {
		for w := range webhooks(spec, x.config.Solver) {
			if w.GroupName != x.config.Group {
				list = append(list, OtherGroup{Issuer: issuer, Group: w.GroupName})
			}
		}
	}
	for _, o := range x.issuers.list() {
		i := o.(*cmv1.Issuer)
		add("Issuer/"+i.Namespace+"/"+i.Name, i.Spec)
	}
	for _, o := range x.clusterIssuers.list() {
		i := o.(*cmv1.ClusterIssuer)
		add("ClusterIssuer/"+i.Name, i.Spec)
	}
	slices.SortFunc(list, func(a, b OtherGroup) int { return strings.Compare(a.Issuer+a.Group, b.Issuer+b.Group) })
	return slices.Compact(list)
}
