package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

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

// slowIssuer is an Issuer whose challenges are open for a minute.
const slowIssuer = "slow"

// loseRecord takes a record away that is presented: cert-manager's own check
// keeps the challenge open for a minute, in which Valkey loses what it has.
func loseRecord(t *testing.T) {
	if err := c.CreateIssuer(t.Context(), world.IssuerOptions{Name: slowIssuer, SelfCheck: true}); err != nil {
		t.Fatal(err)
	}
	setCNAME(t, "lost.example.com")
	createIn(t, "default", "lost", slowIssuer, "*.lost.example.com")
	since := time.Now().UTC().Add(-time.Second).Format(time.RFC3339)
	eventually(t, "presented", func() bool { return strings.Contains(logs(t, since), "domain=lost.example.com") })
	kubectl(t, "delete", "pods", "-n", Namespace, "-l", "app.kubernetes.io/component=valkey", "--force", "--grace-period=0")
}

// sign makes a CertificateSigningRequest of Kubernetes for our ClusterIssuer.
func sign(t *testing.T, dnsName string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{dnsName}}, key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Kube.CertificatesV1().CertificateSigningRequests().Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "signed-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: "clusterissuers.cert-manager.io/signpost", Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
