package chart

import (
	"slices"
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

// Every right is granted while a feature that needs it is on, and not otherwise:
// each right with the sets of features, one of which has to be on.
var rights = map[string][][]string{
	"acme.example.com/signpost create":                                    {{}},
	"acme.cert-manager.io/challenges get":                                 {{"watchChallenges"}},
	"acme.cert-manager.io/challenges list":                                {{"watchChallenges"}, {"endChallenges"}},
	"acme.cert-manager.io/challenges watch":                               {{"watchChallenges"}},
	"acme.cert-manager.io/challenges patch":                               {{"watchChallenges"}},
	"acme.cert-manager.io/challenges/status patch":                        {{"endChallenges"}},
	"/events create":                                                      {{"watchChallenges"}, {"orderGate", "watchRequests"}},
	"cert-manager.io/certificates get":                                    {{"watchChallenges"}, {"orderGate", "watchRequests"}},
	"cert-manager.io/certificates list":                                   {{"watchCertificates"}},
	"cert-manager.io/certificates watch":                                  {{"watchCertificates"}},
	"cert-manager.io/issuers list":                                        {{"watchCertificates"}, {"orderGate"}},
	"cert-manager.io/issuers watch":                                       {{"watchCertificates"}, {"orderGate"}},
	"cert-manager.io/clusterissuers list":                                 {{"watchCertificates"}, {"orderGate"}},
	"cert-manager.io/clusterissuers watch":                                {{"watchCertificates"}, {"orderGate"}},
	"cert-manager.io/certificaterequests list":                            {{"orderGate", "watchRequests"}},
	"cert-manager.io/certificaterequests watch":                           {{"orderGate", "watchRequests"}},
	"cert-manager.io/certificaterequests patch":                           {{"orderGate", "watchRequests"}},
	"certificates.k8s.io/certificatesigningrequests list":                 {{"orderGate", "watchRequests"}},
	"certificates.k8s.io/certificatesigningrequests watch":                {{"orderGate", "watchRequests"}},
	"certificates.k8s.io/certificatesigningrequests patch":                {{"orderGate", "watchRequests"}},
	"acme.cert-manager.io/orders get":                                     {{"watchChallenges"}},
	"acme.cert-manager.io/orders delete":                                  {{"watchChallenges", "orderGate"}},
	"admissionregistration.k8s.io/validatingwebhookconfigurations get":    {{"orderGate"}},
	"admissionregistration.k8s.io/validatingwebhookconfigurations delete": {{"orderGate", "endChallenges"}},
	"/services get": {{"watchDNSService"}},
}

func TestRightsAreTheseAndNoOthers(t *testing.T) {
	features := []string{"watchChallenges", "watchCertificates", "watchDNSService", "watchRequests", "orderGate", "endChallenges"}
	for mask := range 1 << len(features) {
		on := map[string]bool{}
		var sets []string
		for i, f := range features {
			if on[f] = mask&(1<<i) != 0; !on[f] {
				sets = append(sets, f+".enabled=false")
			}
		}
		if on["orderGate"] && !on["watchRequests"] {
			if _, err := render(t, append([]string{minimal}, sets...)...); err == nil || !strings.Contains(err.Error(), "needs watchRequests.enabled") {
				t.Errorf("%q: %v", sets, err)
			}
			continue
		}
		got := must(t, sets...).rules()
		for right, needs := range rights {
			want := slices.ContainsFunc(needs, func(all []string) bool {
				return !slices.ContainsFunc(all, func(f string) bool { return !on[f] })
			})
			if got[right] != want {
				t.Errorf("%q: the right %q is granted: %v, want %v", sets, right, got[right], want)
			}
			delete(got, right)
		}
		for right := range got {
			t.Errorf("%q: the right %q is granted, and not needed", sets, right)
		}
	}
	r := must(t)
	role := get[*rbacv1.Role](t, r, "Role/signpost:dns-service")
	if n := role.Rules[0].ResourceNames; len(n) != 1 || n[0] != "signpost-dns" {
		t.Errorf("the right on Services is for %v, want our own only", n)
	}
	// Of all registrations of webhooks, our own only; no right is granted twice, so
	// that a test which takes it away takes it away.
	for _, key := range []string{"ClusterRole/signpost:watch", "ClusterRole/signpost:end-challenges"} {
		seen, restricted := map[string]bool{}, 0
		for _, rule := range get[*rbacv1.ClusterRole](t, r, key).Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					if right := rule.APIGroups[0] + "/" + resource + " " + verb; seen[right] {
						t.Errorf("%s grants %q twice", key, right)
					} else {
						seen[right] = true
					}
				}
			}
			if rule.Resources[0] == "validatingwebhookconfigurations" && slices.Equal(rule.ResourceNames, []string{"signpost-order-gate"}) {
				restricted++
			}
		}
		if restricted != 1 {
			t.Errorf("%s is not for our own ValidatingWebhookConfiguration only", key)
		}
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
