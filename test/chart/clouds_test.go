package chart

import (
	"os"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clouds are the rows of the table of clouds in docs/install.md, by how they begin,
// with values as they say; none for a row that says to use something else.
var clouds = map[string][]string{
	"EKS, AWS Load Balancer Controller v2.13": {"dnsService.loadBalancerClass=service.k8s.aws/nlb",
		`dnsService.annotations.service\.beta\.kubernetes\.io/aws-load-balancer-healthcheck-path=/readyz`},
	"EKS, older controllers": {"hostPort.enabled=true"},
	"GKE 1.34.1":             {"dnsService.loadBalancerClass=networking.gke.io/l4-regional-external", "dnsService.loadBalancerIP=198.51.100.1"},
	"GKE, older":             {"dnsService.splitProtocols=true", "dnsService.loadBalancerIP=198.51.100.1"},
	"AKS, standard":          {`dnsService.annotations.service\.beta\.kubernetes\.io/azure-pip-name=dns`, "dnsService.externalTrafficPolicy=Local"},
	"OpenStack, Octavia":     {"dnsService.loadBalancerIP=198.51.100.1", `dnsService.annotations.loadbalancer\.openstack\.org/keep-floatingip=true`},
	"Hetzner Cloud":          {"hostPort.enabled=true"},
	"MetalLB": {"dnsService.splitProtocols=true", `dnsService.annotations.metallb\.io/loadBalancerIPs=198.51.100.1`,
		`dnsService.annotations.metallb\.io/allow-shared-ip=dns`},
}

// An API server takes the DNS Services of every row of the table of clouds. What a
// cloud makes of them cannot be seen here.
func TestClouds(t *testing.T) {
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "### Clouds one by one")
	table, _, _ := strings.Cut(after, "#### EKS")
	if rows := strings.Count(table, "\n| ") - 1; rows != len(clouds) {
		t.Errorf("the table has %d rows, the test %d", rows, len(clouds))
	}
	api := startAPIServer(t)
	for row, sets := range clouds {
		if !strings.Contains(table, "\n| "+row) {
			t.Errorf("the table has no row %q", row)
		}
		v := values(t, minimal)
		for _, set := range sets {
			parse := strvals.ParseInto
			if strings.Contains(set, ".annotations.") { // --set-string: "true" is a word there
				parse = strvals.ParseIntoString
			}
			if err := parse(set, v); err != nil {
				t.Fatal(err)
			}
		}
		r, err := renderValues(t, v, engine.Render)
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		made := 0
		for name, object := range r.objects {
			s, ok := object.(*corev1.Service)
			if !ok || s.Spec.Type != corev1.ServiceTypeLoadBalancer {
				continue
			}
			made++
			s.Namespace = "team"
			if _, err := api.kube.CoreV1().Services("team").Create(t.Context(), s, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
				t.Errorf("%s: %s: %v", row, name, err)
			}
		}
		split := strings.Contains(strings.Join(sets, " "), "splitProtocols")
		if host := sets[0] == "hostPort.enabled=true"; !host && made == 0 || split && made != 2 {
			t.Errorf("%s: %d Services", row, made)
		}
	}
}
