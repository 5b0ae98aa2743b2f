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
// clouds change selectors behind everybody's back.
func (x *Cluster) GateConfiguration(ctx context.Context, name string) (problem string) {
	c, err := x.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "there is no ValidatingWebhookConfiguration with this name"
	case err != nil:
		return "it cannot be read: " + Explain(err, "reading the ValidatingWebhookConfiguration "+name).Error()
	}
	var conditions strings.Builder
	fails := false
	for _, w := range c.Webhooks {
		if problem := webhookProblem(w); problem != "" {
			return w.Name + " " + problem
		}
		if *w.FailurePolicy == admissionregistrationv1.Fail {
			fails = true
			for _, m := range w.MatchConditions {
				conditions.WriteString(m.Expression)
			}
		}
	}
	if !fails && len(x.config.Protected) > 0 {
		return "no webhook in it has failurePolicy Fail, so that Orders of protected Issuers are created unasked while Signpost is away"
	}
	for _, ref := range x.config.Protected {
		if !strings.Contains(conditions.String(), ref.Name) {
			return fmt.Sprintf("its failurePolicy Fail does not cover %s", ref)
		}
	}
	return ""
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
			return slices.Contains(r.APIGroups, acmev1.SchemeGroupVersion.Group) && slices.Contains(r.Resources, "orders") &&
				(slices.Contains(r.Operations, operation) || slices.Contains(r.Operations, admissionregistrationv1.OperationAll))
		}) {
			return fmt.Sprintf("is not asked on %s of orders", operation)
		}
	}
	return ""
}
