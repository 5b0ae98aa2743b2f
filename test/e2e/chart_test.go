package e2e

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
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
	if err := createDefaultAccount(t, namespace); err != nil {
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
		"ownerPage.enabled=true,ownerPage.url=https://certs.example.com/x,ownerPage.ingress.enabled=true,ownerPage.ingress.tlsSecretName=tls,ownerPage.texts.fr.language=x",
		"metrics.dashboards.enabled=true,podDisruptionBudget.maxUnavailable=50%,nameOverride=x,commonLabels.a=b",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			out, err := w.Kubectl(t.Context(), renderChart(t, namespace, "zone=dry.example.org,"+set, ""), "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
			if err != nil {
				t.Error(err)
			}
			if n := strings.Count(out, "\n"); n < 12 {
				t.Errorf("only %d objects were accepted:\n%s", n, out)
			}
		})
	}
}

// The chart's ClusterIssuer sends wildcard names to DNS-01 and every other name to
// HTTP-01. The wildcard's challenge goes through; the others are as cert-manager
// makes them, for nothing serves an Ingress here.
func TestMixedCertificate(t *testing.T) {
	const namespace, domain = "mixed", "mixed.example.com"
	createIssuer(t, world.IssuerOptions{Name: "knows-the-ca"})
	known, err := w.CM.CertmanagerV1().ClusterIssuers().Get(t.Context(), "knows-the-ca", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Namespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	if err := createDefaultAccount(t, namespace); err != nil {
		t.Fatal(err)
	}
	issuer := renderChart(t, namespace, "zone="+world.Zone+",issuer.name=mixed,issuer.email=me@example.com,issuer.server="+world.DirectoryURL+
		",issuer.caBundle="+base64.StdEncoding.EncodeToString(known.Spec.ACME.CABundle), "clusterissuer.yaml")
	if err := w.Apply(t.Context(), issuer); err != nil {
		t.Fatal(err)
	}
	setCNAME(t, "example.com", domain, "cert-manager")
	createCertificate(t, namespace, "mixed", "ClusterIssuer", "mixed", domain, "www."+domain, "*."+domain)
	t.Cleanup(func() {
		_ = w.CM.CertmanagerV1().Certificates(namespace).Delete(context.Background(), "mixed", metav1.DeleteOptions{})
		_ = w.CM.AcmeV1().Orders(namespace).DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})
		_ = w.CM.AcmeV1().Challenges(namespace).DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})
	})

	// What there is to see: a challenge's type, and how far it has come.
	want := []string{
		"DNS-01 *." + domain + " valid", "HTTP-01 " + domain + " presented", "HTTP-01 www." + domain + " presented",
		"2 Ingresses, 2 Services, 2 Pods",
	}
	poll.Until(t, issuing, "the challenges go their ways", func() error {
		if got := mixedState(t, namespace); !slices.Equal(got, want) {
			return fmt.Errorf("got %q, want %q\n%s", got, want, w.Explain(namespace))
		}
		return nil
	})
}

// mixedState says what the challenges of a namespace are, and what cert-manager
// has made for those of HTTP-01.
func mixedState(t *testing.T, namespace string) (state []string) {
	t.Helper()
	challenges, err := w.Challenges(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range challenges {
		name, how := c.Spec.DNSName, string(c.Status.State)
		if c.Spec.Wildcard {
			name = "*." + name
		}
		if c.Status.Presented && c.Status.State != acmev1.Valid {
			how = "presented"
		}
		state = append(state, string(c.Spec.Type)+" "+name+" "+how)
	}
	slices.Sort(state)
	ingresses, err1 := w.Kube.NetworkingV1().Ingresses(namespace).List(t.Context(), metav1.ListOptions{})
	services, err2 := w.Kube.CoreV1().Services(namespace).List(t.Context(), metav1.ListOptions{})
	pods, err3 := w.Kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return append(state, fmt.Sprintf("%d Ingresses, %d Services, %d Pods", len(ingresses.Items), len(services.Items), len(pods.Items)))
}

// createDefaultAccount does what otherwise the controller-manager does, which
// this world does without.
func createDefaultAccount(t *testing.T, namespace string) error {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	_, err := w.Kube.CoreV1().ServiceAccounts(namespace).Create(t.Context(), account, metav1.CreateOptions{})
	return err
}

// renderChart renders the chart, or one of its templates.
func renderChart(t *testing.T, namespace, set, template string) string {
	t.Helper()
	yaml, err := world.RenderChart("../../charts/signpost", "dry", namespace, set, template)
	if err != nil {
		t.Fatal(err)
	}
	return yaml
}
