package chart

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// pods are the pod templates of everything that runs.
func (r *rendered) pods() map[string]corev1.PodTemplateSpec {
	pods := map[string]corev1.PodTemplateSpec{}
	for key, object := range r.objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			pods[key] = o.Spec.Template
		case *batchv1.Job:
			pods[key] = o.Spec.Template
		case *corev1.Pod:
			pods[key] = corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
		}
	}
	return pods
}

// violations is what Kubernetes' own admission has against a pod at a level.
func violations(t *testing.T, level psaapi.Level, pod corev1.PodTemplateSpec) string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	results := evaluator.EvaluatePod(psaapi.LevelVersion{Level: level, Version: psaapi.LatestVersion()}, &pod.ObjectMeta, &pod.Spec)
	if sum := policy.AggregateCheckResults(results); !sum.Allowed {
		return sum.ForbiddenDetail()
	}
	return ""
}

func TestPodsAreRestricted(t *testing.T) {
	pods := must(t, "redis.bundled.persistence.enabled=true").pods()
	if len(pods) != 4 {
		t.Fatalf("%d pods, want Signpost, Valkey, the test and what ends challenges", len(pods))
	}
	for key, pod := range pods {
		if v := violations(t, psaapi.LevelRestricted, pod); v != "" {
			t.Errorf("%s: %s", key, v)
		}
		for _, c := range pod.Spec.Containers {
			if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
				t.Errorf("%s: the root file system of %s is not read-only", key, c.Name)
			}
		}
		if u := pod.Spec.SecurityContext.RunAsUser; u == nil || *u != 65532 {
			t.Errorf("%s: runs as %v, want 65532", key, u)
		}
		if e := pod.Spec.EnableServiceLinks; e == nil || *e {
			t.Errorf("%s: Services would set variables that begin with SIGNPOST_", key)
		}
		if a := pod.Spec.AutomountServiceAccountToken; key != "Deployment/signpost" && key != "Job/signpost-end-challenges" && (a == nil || *a) {
			t.Errorf("%s: has a token that it does not need", key)
		}
	}
	// Host ports are what the standards forbid; the values say so.
	pod := must(t, "hostPort.enabled=true").pods()["Deployment/signpost"]
	if v := violations(t, psaapi.LevelBaseline, pod); !strings.Contains(v, "hostPort") {
		t.Errorf("with host ports: %q; the comment in values.yaml is wrong", v)
	}
}

// rules are all rights that are granted, as "group/resource verb".
func (r *rendered) rules() map[string]bool {
	rights := map[string]bool{}
	add := func(rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, g := range rule.APIGroups {
				for _, res := range rule.Resources {
					for _, v := range rule.Verbs {
						rights[g+"/"+res+" "+v] = true
					}
				}
			}
		}
	}
	for _, object := range r.objects {
		switch o := object.(type) {
		case *rbacv1.ClusterRole:
			add(o.Rules)
		case *rbacv1.Role:
			add(o.Rules)
		}
	}
	return rights
}

func TestRightsAreTheseAndNoOthers(t *testing.T) {
	feature := map[string][]string{
		"": {"acme.example.com/signpost create"},
		"watchChallenges": {
			"acme.cert-manager.io/challenges get", "acme.cert-manager.io/challenges list", "acme.cert-manager.io/challenges watch", "acme.cert-manager.io/challenges patch",
			"/events create", "acme.cert-manager.io/orders get", "cert-manager.io/certificates get",
		},
		"watchCertificates": {
			"cert-manager.io/certificates list", "cert-manager.io/certificates watch",
			"cert-manager.io/issuers list", "cert-manager.io/issuers watch",
			"cert-manager.io/clusterissuers list", "cert-manager.io/clusterissuers watch",
		},
		"watchDNSService": {"/services get"},
		"endChallenges":   {"acme.cert-manager.io/challenges list", "acme.cert-manager.io/challenges/status patch"},
	}
	for off := range feature {
		want := map[string]bool{}
		for name, rights := range feature {
			for _, right := range rights {
				if off == "" || name != off {
					want[right] = true
				}
			}
		}
		var sets []string
		if off != "" {
			sets = append(sets, off+".enabled=false")
		}
		got := must(t, sets...).rules()
		for right := range want {
			if !got[right] {
				t.Errorf("without %q: the right %q is missing", off, right)
			}
		}
		for right := range got {
			if !want[right] {
				t.Errorf("without %q: the right %q is granted, and not needed", off, right)
			}
		}
	}
	r := must(t)
	role := get[*rbacv1.Role](t, r, "Role/signpost:dns-service")
	if n := role.Rules[0].ResourceNames; len(n) != 1 || n[0] != "signpost-dns" {
		t.Errorf("the right on Services is for %v, want our own only", n)
	}
	if s := get[*rbacv1.ClusterRoleBinding](t, r, "ClusterRoleBinding/signpost:solver").Subjects; len(s) != 1 || s[0].Name != "cert-manager" || s[0].Namespace != "cert-manager" {
		t.Errorf("%v may call the webhook, want cert-manager", s)
	}
	for key := range must(t, "rbac.create=false").objects {
		if strings.Contains(key, "Role") {
			t.Errorf("rbac.create=false makes %s", key)
		}
	}
}
