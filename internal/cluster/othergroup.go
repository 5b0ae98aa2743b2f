package cluster

import (
	"slices"
	"strings"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

// OtherGroup is an Issuer that names our solver in an API group that is not ours:
// of another installation, or by mistake.
type OtherGroup struct {
	Issuer string // Issuer/namespace/name or ClusterIssuer/name
	Group  string
}

// OtherGroups returns them, sorted; none while Issuers are not followed.
func (x *Cluster) OtherGroups() (list []OtherGroup) {
	add := func(issuer string, spec cmv1.IssuerSpec) {
		if spec.ACME == nil {
			return
		}
		for _, s := range spec.ACME.Solvers {
			if s.DNS01 != nil && s.DNS01.Webhook != nil && s.DNS01.Webhook.SolverName == x.config.Solver && s.DNS01.Webhook.GroupName != x.config.Group {
				list = append(list, OtherGroup{Issuer: issuer, Group: s.DNS01.Webhook.GroupName})
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
