package chart

import (
	"slices"
	"testing"

	admregv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// Before anything is taken away, the gate goes and the challenges are ended.
func TestUninstall(t *testing.T) {
	r := must(t, "groupName=signpost.example.org", "fullnameOverride=other")
	gate := get[*admregv1.ValidatingWebhookConfiguration](t, r, "ValidatingWebhookConfiguration/other-order-gate")
	job := get[*batchv1.Job](t, r, "Job/other-end-challenges")
	want := []string{"end-challenges", "--group-name", "signpost.example.org", "--gate-configuration", gate.Name}
	if args := job.Spec.Template.Spec.Containers[0].Args; !slices.Equal(args, want) || job.Annotations["helm.sh/hook"] != "pre-delete" {
		t.Errorf("args %q, want %q; annotations %v", args, want, job.Annotations)
	}
	role := get[*rbacv1.ClusterRole](t, r, "ClusterRole/other:end-challenges")
	if !slices.ContainsFunc(role.Rules, func(p rbacv1.PolicyRule) bool {
		return slices.Equal(p.Resources, []string{"validatingwebhookconfigurations"}) && slices.Equal(p.Verbs, []string{"delete"}) && slices.Equal(p.ResourceNames, []string{gate.Name})
	}) {
		t.Errorf("the job may not delete %s: %+v", gate.Name, role.Rules)
	}
	args := get[*batchv1.Job](t, must(t, "orderGate.enabled=false"), "Job/signpost-end-challenges").Spec.Template.Spec.Containers[0].Args
	if slices.Contains(args, "--gate-configuration") {
		t.Errorf("without a gate: args %q", args)
	}
}
