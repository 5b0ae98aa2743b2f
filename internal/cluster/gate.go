package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GateConfiguration compares the ValidatingWebhookConfiguration with that name with
// what the gate needs, and returns what is wrong; empty if nothing is. Some managed
// clouds change selectors without notice.
func (x *Cluster) GateConfiguration(ctx context.Context, name string) (problem string) {
	c, err := x.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "there is no ValidatingWebhookConfiguration with this name"
	case err != nil:
		return fmt.Sprintf("it cannot be read: reading the ValidatingWebhookConfiguration %s: %v", name, err)
	}
	var closed, open []admissionregistrationv1.ValidatingWebhook // by what happens while Signpost is away
	for _, w := range c.Webhooks {
		if problem := webhookProblem(w); problem != "" {
			return w.Name + " " + problem
		}
		if *w.FailurePolicy == admissionregistrationv1.Fail {
			closed = append(closed, w)
		} else {
			open = append(open, w)
		}
	}
	switch {
	case len(closed) == 0 && len(x.config.Protected) > 0:
		return "no webhook in it has failurePolicy Fail, so that Orders of protected Issuers are created unasked while Signpost is away"
	case len(open) == 0 && !slices.ContainsFunc(closed, unconditional):
		return "no webhook in it has failurePolicy Ignore, so that Signpost is not asked about Orders of other Issuers"
	}
	for _, ref := range x.config.Protected {
		if !slices.ContainsFunc(closed, func(w admissionregistrationv1.ValidatingWebhook) bool { return covers(w, ref) }) {
			return fmt.Sprintf("its failurePolicy Fail does not cover %s", ref)
		}
	}
	return ""
}

func unconditional(w admissionregistrationv1.ValidatingWebhook) bool {
	return len(w.MatchConditions) == 0
}

// covers reports whether a webhook's conditions name an Issuer, as a whole string.
func covers(w admissionregistrationv1.ValidatingWebhook, ref IssuerRef) bool {
	literals := []string{ref.Name}
	if ref.Namespace != "" {
		literals = append(literals, ref.Namespace+"/"+ref.Name)
	}
	return unconditional(w) || slices.ContainsFunc(w.MatchConditions, func(m admissionregistrationv1.MatchCondition) bool {
		return slices.ContainsFunc(literals, func(s string) bool {
			return strings.Contains(m.Expression, "'"+s+"'") || strings.Contains(m.Expression, `"`+s+`"`)
		})
	})
}

func webhookProblem(w admissionregistrationv1.ValidatingWebhook) string {
	selective := func(s *metav1.LabelSelector) bool {
		return s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0
	}
	switch {
	case selective(w.NamespaceSelector) || selective(w.ObjectSelector):
		return "has a selector, so that a label on a namespace or an Order escapes it"
	case len(w.ClientConfig.CABundle) == 0:
		return "has no CA bundle yet: cert-manager's cainjector has not been here"
	case w.FailurePolicy == nil:
		return "has no failurePolicy"
	}
	for _, operation := range []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update} {
		if !slices.ContainsFunc(w.Rules, func(r admissionregistrationv1.RuleWithOperations) bool {
			return has(r.APIGroups, acmev1.SchemeGroupVersion.Group) && has(r.APIVersions, acmev1.SchemeGroupVersion.Version) &&
				has(r.Resources, "orders") && has(r.Operations, operation) && (r.Scope == nil || *r.Scope != admissionregistrationv1.ClusterScope)
		}) {
			return fmt.Sprintf("is not asked on %s of orders", operation)
		}
	}
	return ""
}

// has reports whether a list of a rule has one, or all.
func has[S ~string](list []S, one S) bool {
	return slices.Contains(list, one) || slices.Contains(list, "*")
}
