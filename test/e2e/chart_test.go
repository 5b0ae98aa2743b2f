package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The API server takes every object that the chart makes, whatever the values,
// in a namespace that admits restricted pods only.
func TestChartObjectsAreAccepted(t *testing.T) {
	const namespace = "chart"
	_, err := w.Kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Otherwise the controller-manager's business, which this world does without.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := w.Kube.CoreV1().ServiceAccounts(namespace).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{
		"issuer.email=me@example.com",
		"issuer.email=me@example.com,issuer.http01.enabled=false,issuer.server=staging,issuer.eab.keyID=k,issuer.eab.secretName=s",
		"issuer.email=me@example.com,issuer.http01.ingressClassName=nginx,issuer.dns01.waitInsteadOfSelfCheck=,issuer.caBundle=Y2E=",
		"issuer.email=me@example.com,issuer.http01.gatewayParentRefs[0].name=gw",
		"dnsService.splitProtocols=true,dnsService.externalTrafficPolicy=Local,dnsService.loadBalancerClass=example.com/lb,dnsService.allocateLoadBalancerNodePorts=false",
		"dnsService.type=NodePort", "dnsService.type=ClusterIP", "dnsService.enabled=false",
		"dnsService.ipFamilyPolicy=PreferDualStack,dnsService.ipFamilies={IPv4},dnsService.loadBalancerSourceRanges={192.0.2.0/24}",
		"redis.mode=memory,replicaCount=1",
		"redis.mode=external,redis.url=rediss://r:6379,redis.existingSecret=s,redis.tls.existingSecret=ca,redis.username=u,redis.sentinelPasswordKey=p",
		"redis.mode=external,redis.existingSecret=s,redis.urlKey=url,redis.passwordKey=",
		"redis.bundled.persistence.enabled=true,redis.bundled.persistence.storageClassName=fast",
		"watchChallenges.enabled=false,watchCertificates.enabled=false,watchDNSService.enabled=false",
		"networkPolicy.httpFrom[0].podSelector.matchLabels.app=p,networkPolicy.egress[0].ports[0].port=53",
		"hostPort.enabled=true,hostPort.hostIP=192.0.2.1",
		"metrics.dashboards.enabled=true,podDisruptionBudget.maxUnavailable=50%,nameOverride=x,commonLabels.a=b",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			out, err := w.Kubectl(t.Context(), renderChart(t, namespace, "zone=dry.example.org,"+set), "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
			if err != nil {
				t.Error(err)
			}
			if n := strings.Count(out, "\n"); n < 12 {
				t.Errorf("only %d objects were accepted:\n%s", n, out)
			}
		})
	}
}

func renderChart(t *testing.T, namespace, set string) string {
	t.Helper()
	c, err := loader.Load("../../charts/signpost")
	if err != nil {
		t.Fatal(err)
	}
	v, err := strvals.Parse(set)
	if err != nil {
		t.Fatal(err)
	}
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "dry", Namespace: namespace, IsInstall: true}, &capabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(c, all)
	if err != nil {
		t.Fatalf("%s: %v", set, err)
	}
	var yaml strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, "NOTES.txt") {
			yaml.WriteString("---\n" + files[name] + "\n")
		}
	}
	return yaml.String()
}
