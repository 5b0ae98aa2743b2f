package cluster

import (
	"context"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type (
	webhookConfiguration = admissionregistrationv1.ValidatingWebhookConfiguration
	webhook              = admissionregistrationv1.ValidatingWebhook
)

// gateConfiguration is one as the chart makes it, for the Issuers of TestGateConfiguration.
func gateConfiguration() *webhookConfiguration {
	entry := func(name string, policy admissionregistrationv1.FailurePolicyType, expression string) webhook {
		namespaced := admissionregistrationv1.NamespacedScope
		return webhook{
			Name: name, FailurePolicy: &policy, ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: []byte("x")},
			NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
			MatchConditions: []admissionregistrationv1.MatchCondition{{Name: "changes", Expression: "true"}, {Name: name, Expression: expression}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE"},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"acme.cert-manager.io"}, APIVersions: []string{"v1"}, Resources: []string{"orders"}, Scope: &namespaced},
			}},
		}
	}
	const protects = `o.spec.issuerRef.name in ['le', 'le-strict'] || request.namespace + '/' + o.spec.issuerRef.name in ["web/mine"]`
	return &webhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "gate"}, Webhooks: []webhook{
		entry("protected", admissionregistrationv1.Fail, protects), entry("others", admissionregistrationv1.Ignore, "!("+protects+")"),
	}}
}

// TestGateConfiguration: every change that lets Orders past the gate is a problem.
func TestGateConfiguration(t *testing.T) {
	rule := func(c *webhookConfiguration) *admissionregistrationv1.RuleWithOperations {
		return &c.Webhooks[1].Rules[0]
	}
	cluster := admissionregistrationv1.ClusterScope
	for name, tc := range map[string]struct {
		change  func(*webhookConfiguration)
		problem string // part of it
	}{
		"as the chart makes it": {func(*webhookConfiguration) {}, ""},
		"a cloud's namespace selector": {func(c *webhookConfiguration) {
			c.Webhooks[0].NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "control-plane", Operator: "DoesNotExist"}}
		}, "protected has a selector"},
		"an object selector": {func(c *webhookConfiguration) { c.Webhooks[1].ObjectSelector.MatchLabels = map[string]string{"a": "b"} }, "others has a selector"},
		"no selectors at all": {func(c *webhookConfiguration) {
			c.Webhooks[1].ObjectSelector, c.Webhooks[1].NamespaceSelector = nil, nil
		}, ""},
		"no CA bundle":   {func(c *webhookConfiguration) { c.Webhooks[0].ClientConfig.CABundle = nil }, "has no CA bundle"},
		"no UPDATE":      {func(c *webhookConfiguration) { rule(c).Operations = []admissionregistrationv1.OperationType{"CREATE"} }, "others is not asked on UPDATE"},
		"all operations": {func(c *webhookConfiguration) { rule(c).Operations = []admissionregistrationv1.OperationType{"*"} }, ""},
		"all groups, versions and resources": {func(c *webhookConfiguration) {
			rule(c).APIGroups, rule(c).APIVersions, rule(c).Resources = []string{"*"}, []string{"*"}, []string{"*"}
		}, ""},
		"another group":      {func(c *webhookConfiguration) { rule(c).APIGroups = []string{"cert-manager.io"} }, "is not asked on CREATE"},
		"another version":    {func(c *webhookConfiguration) { rule(c).APIVersions = []string{"v1alpha2"} }, "is not asked on CREATE"},
		"another resource":   {func(c *webhookConfiguration) { rule(c).Resources = []string{"challenges", "orders/status"} }, "is not asked on CREATE"},
		"cluster scope":      {func(c *webhookConfiguration) { rule(c).Scope = &cluster }, "is not asked on CREATE"},
		"no rules":           {func(c *webhookConfiguration) { c.Webhooks[0].Rules = nil }, "is not asked on CREATE"},
		"no failure policy":  {func(c *webhookConfiguration) { c.Webhooks[0].FailurePolicy = nil }, "has no failurePolicy"},
		"nothing fails":      {func(c *webhookConfiguration) { *c.Webhooks[0].FailurePolicy = admissionregistrationv1.Ignore }, "no webhook in it has failurePolicy Fail"},
		"the others are out": {func(c *webhookConfiguration) { c.Webhooks = c.Webhooks[:1] }, "not asked about Orders of other Issuers"},
		"all fail": {func(c *webhookConfiguration) {
			c.Webhooks = c.Webhooks[:1]
			c.Webhooks[0].MatchConditions = nil
		}, ""},
		"none": {func(c *webhookConfiguration) { c.Webhooks = nil }, "no webhook in it has failurePolicy Fail"},
		"an Issuer is left out": {func(c *webhookConfiguration) { // its name is part of another's
			c.Webhooks[0].MatchConditions[1].Expression = `o.spec.issuerRef.name in ['le-strict', 'simple'] || 'web/mine'`
		}, "does not cover ClusterIssuer/le"},
		"an Issuer of a namespace is left out": {func(c *webhookConfiguration) {
			c.Webhooks[0].MatchConditions[1].Expression = `o.spec.issuerRef.name in ['le', 'le-strict'] || 'other/mine'`
		}, "does not cover Issuer/web/mine"},
		"it is gone": {func(c *webhookConfiguration) { c.Name = "other" }, "there is no ValidatingWebhookConfiguration"},
	} {
		t.Run(name, func(t *testing.T) {
			c := gateConfiguration()
			tc.change(c)
			w := notRead(t, func(c *Config) {
				c.Protected = protect("ClusterIssuer/le", "ClusterIssuer/le-strict", "Issuer/web/mine")
			}, c)
			got := w.GateConfiguration(context.Background(), "gate")
			if !strings.Contains(got, tc.problem) || (tc.problem == "") != (got == "") {
				t.Errorf("%q, want %q", got, tc.problem)
			}
		})
	}
}
