package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

const (
	replicas = "app.kubernetes.io/name=signpost,app.kubernetes.io/component=server"
	server   = world.BalancerAddress + ":53"
)

// TestLife is the life of an installation. Each step needs those before it.
func TestLife(t *testing.T) {
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"cert-manager's chart", installCertManager},
		{"our chart, from a zone and an e-mail address", install},
		{"before anything is delegated", beforeDelegation},
		{"a wildcard certificate", issueWildcard},
		{"helm test", helmTest},
		{"each right is needed", eachRightIsNeeded},
		{"an upgrade with challenges in flight", upgradeInFlight},
		{"a rolling restart under load", restartUnderLoad},
		{"a drain", drain},
		{"an uninstallation", uninstall},
	} {
		if !t.Run(step.name, step.run) {
			t.Fatal(explain())
		}
	}
}

// explain says how the pods are, for who reads a failure.
func explain() string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var b strings.Builder
	for _, args := range [][]string{
		{"get", "pods,services", "-A", "-o", "wide"}, {"get", "events", "-A", "--field-selector=type=Warning"},
		{"logs", "-n", Namespace, "-l", "app.kubernetes.io/instance=" + Release, "--prefix", "--tail=40"},
		{"logs", "-n", certManager, "-l", "app.kubernetes.io/instance=" + certManager, "--prefix", "--tail=8"},
	} {
		out, err := c.Kubectl(ctx, "", args...)
		fmt.Fprintln(&b, out, err)
	}
	return b.String()
}

func helm(t *testing.T) *Helm {
	t.Helper()
	h, err := c.Helm(Namespace)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// kubectl runs kubectl, which must succeed.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func installCertManager(t *testing.T) {
	if err := c.InstallCertManager(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func install(t *testing.T) {
	if err := c.Restricted(t.Context(), Namespace); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	r, err := helm(t).Install(t.Context(), Release, c.Chart, c.Values(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("installed and Ready after %.1f s", time.Since(begin).Seconds())
	for _, record := range []string{world.Zone + ".  NS    ns-" + world.Zone + ".", "ns-" + world.Zone + ".  A     "} {
		if !strings.Contains(r.Info.Notes, record) {
			t.Errorf("no %q in the notes:\n%s", record, r.Info.Notes)
		}
	}
	if n := len(strings.Fields(kubectl(t, "get", "pods", "-n", Namespace, "-l", replicas, "--field-selector=status.phase=Running", "-o", "name"))); n != 2 {
		t.Errorf("%d replicas run", n)
	}
	for _, network := range []string{"udp", "tcp"} {
		eventually(t, "the load balancer answers over "+network, func() bool { // kube-proxy may not have seen the pods yet
			m, _, err := (&dns.Client{Net: network, Timeout: 10 * time.Second}).ExchangeContext(t.Context(), new(dns.Msg).SetQuestion(world.Zone+".", dns.TypeSOA), server)
			return err == nil && m.Authoritative && len(m.Answer) == 1
		})
	}
}

// setCNAME does what the owner of a domain does.
func setCNAME(t *testing.T, domain string) {
	t.Helper()
	target, err := world.Target(certManager, domain)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Parent.SetCNAME(t.Context(), "example.com", domain, target); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, name string, dnsNames ...string) {
	t.Helper()
	createIn(t, "default", name, "signpost", dnsNames...)
}

func createIn(t *testing.T, namespace, name, issuer string, dnsNames ...string) {
	t.Helper()
	if err := c.CreateCertificate(t.Context(), namespace, name, "ClusterIssuer", issuer, dnsNames...); err != nil {
		t.Fatal(err)
	}
}

func waitReady(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cert, err := c.WaitReady(ctx, "default", name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(cert.Issuer.CommonName, "Pebble") {
		t.Errorf("the certificate is by %s", cert.Issuer.CommonName)
	}
}

func issueWildcard(t *testing.T) {
	setCNAME(t, "example.com")
	begin := time.Now()
	create(t, "wildcard", "*.example.com")
	waitReady(t, "wildcard")
	t.Logf("Ready %.1f s after it was applied", time.Since(begin).Seconds())
}

// helmTest runs the chart's own test, which fails while the zone is not delegated.
func helmTest(t *testing.T) {
	const key = "delegation"
	if err := c.Parent.Set(t.Context(), "example.com", key, ""); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // the negative TTL of example.com
	if err := helm(t).Test(Release); err == nil {
		t.Error("without a delegation the test succeeds")
	}
	if out := kubectl(t, "logs", "-n", Namespace, Release+"-check"); !strings.Contains(out, "ns-"+world.Zone) {
		t.Errorf("the failed test says %q", out)
	}
	if err := c.Delegate(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "helm test succeeds", func() bool { return helm(t).Test(Release) == nil })
}

func drain(t *testing.T) {
	_, err := c.Kubectl(t.Context(), "", "drain", "node", "--pod-selector", replicas, "--delete-emptydir-data", "--timeout=20s")
	if err == nil || !strings.Contains(err.Error(), "disruption budget") {
		t.Errorf("the drain was not held back: %v", err)
	}
	ready := kubectl(t, "get", "endpointslices", "-n", Namespace, "-l", "kubernetes.io/service-name=signpost", "-o", "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses}")
	if len(strings.Fields(ready)) != 1 {
		t.Errorf("while the node is drained, ready are %q", ready)
	}
	if _, _, err := new(dns.Client).ExchangeContext(t.Context(), new(dns.Msg).SetQuestion(world.Zone+".", dns.TypeSOA), server); err != nil {
		t.Error(err)
	}
	kubectl(t, "uncordon", "node")
	kubectl(t, "rollout", "status", "deployment/signpost", "-n", Namespace, "--timeout=90s")
}

// uninstall checks that Helm leaves nothing of ours, and that a namespace can be
// deleted then: ours, and one with a request that waits at the gate and a challenge
// that nobody cleans up any more. A leftover APIService or finalizer would prevent
// it, and a leftover gate would deny Orders for good.
func uninstall(t *testing.T) {
	const tenant = "tenant"
	kubectl(t, "create", "namespace", tenant)
	createIn(t, tenant, "late", "signpost", "*.late.example.com")
	denied(t, tenant, "late", "late.example.com")
	const unchecked = "unchecked" // its challenges are presented without a CNAME, and then wait for cert-manager's own check
	if err := c.CreateIssuer(t.Context(), world.IssuerOptions{Name: unchecked, NoGate: true, SelfCheck: true}); err != nil {
		t.Fatal(err)
	}
	createIn(t, tenant, "flying", unchecked, "*.flying.example.com")
	eventually(t, "a challenge is in flight", func() bool {
		return kubectl(t, "get", "challenges", "-n", tenant, "-o", "jsonpath={.items[*].status.presented}") == "true"
	})
	if err := helm(t).Uninstall(Release); err != nil {
		t.Fatal(err)
	}
	if said := kubectl(t, "get", "challenges", "-n", tenant, "-o", "jsonpath={.items[*].status.reason}"); said != cluster.EndedReason {
		t.Errorf("the challenge says %q", said)
	}
	if left := kubectl(t, "get", "validatingwebhookconfigurations", gateConfiguration, "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("%s is left", left)
	}
	kinds := strings.Join(strings.Fields(kubectl(t, "api-resources", "--verbs=list", "-o", "name")), ",")
	eventually(t, "nothing of ours is left", func() bool { // pods have their grace period
		return kubectl(t, "get", kinds, "-A", "-l", "app.kubernetes.io/instance="+Release, "--ignore-not-found", "-o", "name") == ""
	})
	deleteNamespace(t, tenant)
	deleteNamespace(t, Namespace)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll.True(t, patience, what, ok)
}
