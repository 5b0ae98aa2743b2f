package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

// right is one that the chart grants, and what says that it is gone.
type right struct {
	name     string
	take     func(t *testing.T) (giveBack func())
	restart  bool // it is used only when a replica starts
	use      func(t *testing.T)
	says     []string               // where it is said: all of it, in one line of the log
	saidHere func(*testing.T) string // instead of in the log
}

// eachRightIsNeeded takes every right of the chart away in turn: what it was for
// fails, and the message names the right. At the end everything works again.
func eachRightIsNeeded(t *testing.T) {
	const watch, solver = "signpost:watch", "signpost:solver"
	n := 0
	var domain string
	waits := func(t *testing.T) { // a challenge whose CNAME is missing
		n++
		domain = fmt.Sprintf("right-%d.example.com", n)
		create(t, strings.TrimSuffix(domain, ".example.com"), "*."+domain)
	}
	var rights []right
	for _, r := range []struct{ group, resource, verb, feature string }{
		{"acme.cert-manager.io", "challenges", "list", "cert-manager's challenges cannot be read"},
		{"acme.cert-manager.io", "challenges", "watch", "cert-manager's challenges cannot be read"},
		{"cert-manager.io", "certificates", "list", "cert-manager's certificates cannot be read"},
		{"cert-manager.io", "certificates", "watch", "cert-manager's certificates cannot be read"},
		{"cert-manager.io", "issuers", "list", "cert-manager's issuers cannot be read"},
		{"cert-manager.io", "issuers", "watch", "cert-manager's issuers cannot be read"},
		{"cert-manager.io", "clusterissuers", "list", "cert-manager's clusterissuers cannot be read"},
		{"cert-manager.io", "clusterissuers", "watch", "cert-manager's clusterissuers cannot be read"},
		{"", "events", "create", "an event cannot be made"},
		{"acme.cert-manager.io", "orders", "get", "an event cannot be made"},
		{"cert-manager.io", "certificates", "get", "an event cannot be made"},
	} {
		rights = append(rights, right{
			name:    r.verb + " " + r.resource,
			take:    func(t *testing.T) func() { return withoutVerb(t, watch, r.group, r.resource, r.verb) },
			restart: r.verb == "list" || r.verb == "watch", use: waits,
			says: []string{r.feature, fmt.Sprintf("cannot %s resource \\\"%s\\\"", r.verb, r.resource)},
		})
	}
	rights = append(rights,
		right{
			name: "patch challenges",
			take: func(t *testing.T) func() { return withoutVerb(t, watch, "acme.cert-manager.io", "challenges", "patch") },
			use: func(t *testing.T) {
				waits(t)
				eventually(t, "the challenge waits for its CNAME", func() bool {
					return strings.Contains(kubectl(t, "get", "challenges", "-n", "default", "-o", "jsonpath={.items[?(@.spec.dnsName==\""+domain+"\")].status.reason}"), "CNAME")
				})
				setCNAME(t, domain)
			},
			says: []string{"cert-manager cannot be told that the CNAME is there", `cannot patch resource \"challenges\"`},
		},
		right{
			name: "get challenges",
			take: func(t *testing.T) func() { return withoutVerb(t, watch, "acme.cert-manager.io", "challenges", "get") },
			use:  loseRecord,
			says: []string{"a record that the store has lost cannot be put back yet", `cannot get resource \"challenges\"`},
		},
		right{
			name:    "get services",
			take:    func(t *testing.T) func() { return withoutBinding(t, "rolebinding", Namespace, "signpost:dns-service") },
			restart: true,
			says:    []string{"the address of the DNS Service is not known", `cannot get resource \"services\"`},
		},
		right{
			name:    "read how the API server identifies itself",
			take:    func(t *testing.T) func() { return withoutBinding(t, "rolebinding", "kube-system", "signpost:auth-reader") },
			restart: true,
			says:    []string{"extension-apiserver-authentication", "cannot get resource"},
		},
		right{
			name: "ask the API server who may call",
			take: func(t *testing.T) func() { return withoutBinding(t, "clusterrolebinding", "", "signpost:auth-delegator") },
			use:  waits, restart: true,
			says: []string{"subjectaccessreviews", "cannot create resource"},
		},
		right{
			name: "call the webhook",
			take: func(t *testing.T) func() { return withoutBinding(t, "clusterrolebinding", "", solver) },
			use:  waits,
			says: []string{"cannot create resource \"signpost\""},
			saidHere: func(t *testing.T) string {
				return kubectl(t, "get", "challenges", "-n", "default", "-o", "jsonpath={.items[*].status.reason}")
			},
		},
	)
	for _, r := range rights {
		t.Run(r.name, func(t *testing.T) {
			giveBack := r.take(t)
			defer giveBack()
			since := time.Now().UTC().Format(time.RFC3339)
			if r.restart {
				kubectl(t, "delete", "pods", "-n", Namespace, "-l", replicas, "--force", "--grace-period=0")
			}
			if r.use != nil {
				r.use(t)
			}
			if r.saidHere == nil {
				r.saidHere = func(t *testing.T) string { return logs(t, since) }
			}
			eventually(t, fmt.Sprintf("a message with %q", r.says), func() bool {
				for line := range strings.Lines(r.saidHere(t)) {
					if !slices.ContainsFunc(r.says, func(s string) bool { return !strings.Contains(line, s) }) {
						return true
					}
				}
				return false
			})
		})
	}
	kubectl(t, "delete", "pods", "-n", Namespace, "-l", replicas, "--force", "--grace-period=0")
	kubectl(t, "rollout", "status", "deployment/signpost", "-n", Namespace, "--timeout=90s")
	setCNAME(t, "restored.example.com")
	create(t, "restored", "*.restored.example.com")
	waitReady(t, "restored")
}

// logs are what the replicas have said since, also in containers that have ended.
func logs(t *testing.T, since string) string {
	t.Helper()
	var all strings.Builder
	for _, pod := range strings.Fields(kubectl(t, "get", "pods", "-n", Namespace, "-l", replicas, "-o", "name")) {
		for _, which := range []string{"--previous=false", "--previous"} {
			out, _ := c.Kubectl(t.Context(), "", "logs", "-n", Namespace, pod, which, "--since-time="+since) // it may not have begun
			all.WriteString(out)
		}
	}
	return all.String()
}

// withoutVerb takes one verb on one resource out of a ClusterRole.
func withoutVerb(t *testing.T, role, group, resource, verb string) (giveBack func()) {
	t.Helper()
	roles := c.Kube.RbacV1().ClusterRoles()
	before, err := roles.Get(t.Context(), role, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after := before.DeepCopy()
	after.Rules = nil
	taken := false
	for _, rule := range before.Rules {
		if !slices.Contains(rule.APIGroups, group) || !slices.Contains(rule.Resources, resource) || !slices.Contains(rule.Verbs, verb) {
			after.Rules = append(after.Rules, rule)
			continue
		}
		taken = true
		without := func(list []string, s string) []string {
			return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == s })
		}
		if others := without(rule.Resources, resource); len(others) > 0 {
			after.Rules = append(after.Rules, rbacv1.PolicyRule{APIGroups: rule.APIGroups, Resources: others, Verbs: rule.Verbs})
		}
		if verbs := without(rule.Verbs, verb); len(verbs) > 0 {
			after.Rules = append(after.Rules, rbacv1.PolicyRule{APIGroups: rule.APIGroups, Resources: []string{resource}, Verbs: verbs})
		}
	}
	if !taken {
		t.Fatalf("%s does not grant to %s %s", role, verb, resource)
	}
	set := func(rules []rbacv1.PolicyRule) {
		now, err := roles.Get(t.Context(), role, metav1.GetOptions{})
		if err == nil {
			now.Rules = rules
			_, err = roles.Update(t.Context(), now, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	set(after.Rules)
	return func() { set(before.Rules) }
}

// withoutBinding deletes a binding.
func withoutBinding(t *testing.T, kind, namespace, name string) (giveBack func()) {
	t.Helper()
	args := []string{kind, name}
	if namespace != "" {
		args = append(args, "-n", namespace)
	}
	yaml := kubectl(t, append([]string{"get", "-o", "yaml"}, args...)...)
	kubectl(t, append([]string{"delete"}, args...)...)
	return func() {
		if _, err := c.Kubectl(t.Context(), yaml, "create", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
}

// loseRecord takes a record away that is presented: cert-manager's own check
// keeps the challenge open for a minute, in which Valkey loses what it has.
func loseRecord(t *testing.T) {
	if err := c.CreateIssuer(t.Context(), world.IssuerOptions{Name: "slow", SelfCheck: true}); err != nil {
		t.Fatal(err)
	}
	setCNAME(t, "lost.example.com")
	if err := c.CreateCertificate(t.Context(), "default", "lost", "ClusterIssuer", "slow", "*.lost.example.com"); err != nil {
		t.Fatal(err)
	}
	since := time.Now().UTC().Add(-time.Second).Format(time.RFC3339)
	eventually(t, "presented", func() bool { return strings.Contains(logs(t, since), "domain=lost.example.com") })
	kubectl(t, "delete", "pods", "-n", Namespace, "-l", "app.kubernetes.io/component=valkey", "--force", "--grace-period=0")
}
