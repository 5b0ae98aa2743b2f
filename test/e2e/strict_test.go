package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/test/world"
)

const thief = "strict-thief"

// With strict namespaces the CNAME names the one namespace that gets a certificate
// through a ClusterIssuer, also where the CA reuses what the owner has proved.
func TestStrictNamespaces(t *testing.T) {
	replicasWith(t, "--strict-namespaces")
	createIssuer(t, world.IssuerOptions{Name: "strict"})
	createIssuer(t, world.IssuerOptions{Name: "strict-follow", Follow: true})
	setCNAME(t, "example.com", "strict.example.com", "strict-owner")
	first := issue(t, "strict-owner", "strict", "ClusterIssuer", "strict", "strict.example.com", "*.strict.example.com")
	issue(t, "strict-owner", "follow", "ClusterIssuer", "strict-follow", "*.strict.example.com")
	target, err := world.Target(thief, "strict.example.com")
	if err != nil {
		t.Fatal(err)
	}
	theirs := func(text string) bool { return strings.Contains(text, target) }

	t.Run("by Certificate", func(t *testing.T) {
		createCertificate(t, thief, "strict", "ClusterIssuer", "strict", "*.strict.example.com")
		denial(t, thief, "strict", theirs)
	})
	t.Run("by capital letters", func(t *testing.T) {
		createCertificate(t, thief, "capitals", "ClusterIssuer", "strict", "STRICT.example.com")
		denial(t, thief, "capitals", theirs)
	})
	t.Run("by CertificateRequest with a group of its own", func(t *testing.T) {
		denied(t, request(t, "request", cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "strict", Group: "cert-manager.io"}, "strict.example.com", "strict.example.com"), theirs)
	})
	t.Run("by Order", byOrder)
	t.Run("by a changed Order", byChangedOrder)
	t.Run("by Challenge", func(t *testing.T) { byChallenge(t, target) })
	t.Run("by another Issuer of the account", func(t *testing.T) { byAnotherIssuer(t, theirs) })
	t.Run("with an IP address", func(t *testing.T) {
		_, err := w.CM.CertmanagerV1().Certificates("strict-owner").Create(t.Context(), &cmv1.Certificate{
			ObjectMeta: metav1.ObjectMeta{Name: "address"},
			Spec: cmv1.CertificateSpec{SecretName: "address", DNSNames: []string{"strict.example.com"}, IPAddresses: []string{"192.0.2.1"},
				IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "strict"}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		denial(t, "strict-owner", "address", func(text string) bool { return strings.Contains(text, "IP address 192.0.2.1 has no owner's record") })
	})
	t.Run("in the cluster resource namespace", func(t *testing.T) {
		setCNAME(t, "example.com", "strict-cluster.example.com", "cert-manager")
		createCertificate(t, "cert-manager", "strict-cluster", "ClusterIssuer", "strict", "*.strict-cluster.example.com")
		denial(t, "cert-manager", "strict-cluster", func(text string) bool { return strings.Contains(text, "orderGate.clusterNamespace") })
	})
	t.Run("with checkCNAME false", func(t *testing.T) {
		createIssuer(t, world.IssuerOptions{Name: "strict-blind", NoGate: true})
		createCertificate(t, thief, "blind", "ClusterIssuer", "strict-blind", "*.strict.example.com")
		denial(t, thief, "blind", func(text string) bool { return strings.Contains(text, "cannot be used with strict namespaces") })
	})
	t.Run("taken back", func(t *testing.T) {
		if err := w.Parent.RemoveCNAME(t.Context(), "example.com", "strict.example.com"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second) // a look that is five seconds old may still allow
		renew(t, "strict-owner", "strict")
		denial(t, "strict-owner", "strict", func(text string) bool { return strings.Contains(text, "_acme-challenge.strict.example.com CNAME") })
		if now, err := w.Leaf(t.Context(), "strict-owner", "strict"); err != nil || now.SerialNumber.Cmp(first.SerialNumber) != 0 {
			t.Errorf("a certificate was issued without the record: %v", err)
		}
		setCNAME(t, "example.com", "strict.example.com", "strict-owner")
		renewed(t, "strict-owner", "strict", first)
	})

	noOrder(t, thief)
	noValue(t, "strict.example.com", "strict-owner", thief, "cert-manager")
	secrets, err := w.Kube.CoreV1().Secrets(thief).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		if len(s.Data["tls.crt"]) > 0 {
			t.Errorf("the thief has got a certificate in %s", s.Name)
		}
	}
}

// replicasWith restarts the replicas with one more flag, and without it afterwards.
func replicasWith(t *testing.T, flag string) {
	t.Helper()
	for _, r := range w.Replicas {
		r.Args = append(r.Args, flag)
	}
	t.Cleanup(func() {
		for _, r := range w.Replicas {
			r.Args = r.Args[:len(r.Args)-1]
		}
		restartReplicas(context.Background(), t)
	})
	restartReplicas(t.Context(), t)
}

func restartReplicas(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, r := range w.Replicas {
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	}
}

// order is one as somebody could write it by hand.
func order(t *testing.T, name, issuer, commonName string, dnsNames ...string) *acmev1.Order {
	t.Helper()
	return &acmev1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: name},
		Spec: acmev1.OrderSpec{Request: csr(t, commonName, dnsNames...), CommonName: commonName, DNSNames: dnsNames,
			IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: issuer}},
	}
}

func csr(t *testing.T, commonName string, dnsNames ...string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}, DNSNames: dnsNames}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// request makes a CertificateRequest by hand, approved, and returns its name.
func request(t *testing.T, name string, issuer cmmeta.IssuerReference, commonName string, dnsNames ...string) string {
	t.Helper()
	_, err := w.CM.CertmanagerV1().CertificateRequests(thief).Create(t.Context(), &cmv1.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       cmv1.CertificateRequestSpec{Request: csr(t, commonName, dnsNames...), IssuerRef: issuer},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// denied waits until a CertificateRequest of the thief says that its Order was denied.
func denied(t *testing.T, name string, ok func(string) bool) {
	t.Helper()
	eventually(t, "the request "+name+" is denied", func() bool {
		r, err := w.CM.CertmanagerV1().CertificateRequests(thief).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Status.Conditions {
			if strings.Contains(c.Message, "denied the request") && ok(c.Message) {
				return true
			}
		}
		return false
	})
}

// Only cert-manager creates Orders for a protected Issuer, with any content.
func byOrder(t *testing.T) {
	for name, o := range map[string]*acmev1.Order{
		"names":        order(t, "forged", "strict", "", "strict.example.com"),
		"a commonName": order(t, "forged", "strict", "strict.example.com"),
	} {
		_, err := w.CM.AcmeV1().Orders(thief).Create(t.Context(), o, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), "are created by cert-manager alone") {
			t.Errorf("an Order with %s: %v", name, err)
		}
	}
}

// An Order's spec can be changed: from a harmless one into one that is not.
func byChangedOrder(t *testing.T) {
	orders := w.CM.AcmeV1().Orders(thief)
	_, err := orders.Create(t.Context(), order(t, "changed", "not-there-yet", "", "harmless.example.com"), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("an Order for an Issuer that may come later: %v", err)
	}
	createIssuer(t, world.IssuerOptions{Name: "harmless", HTTP01: true})
	if err := w.Condition(t.Context(), "cert-manager.io/v1", "ClusterIssuer", "harmless", "Ready"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an Order of an Issuer with an account of its own passes", func() bool {
		_, err := orders.Create(t.Context(), order(t, "changed", "harmless", "", "harmless.example.com"), metav1.CreateOptions{})
		return err == nil
	})
	change := []byte(`{"spec": {"issuerRef": {"name": "strict", "group": "example.org"}, "dnsNames": ["strict.example.com"]}}`)
	if _, err := orders.Patch(t.Context(), "changed", types.MergePatchType, change, metav1.PatchOptions{}); err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("the Order was changed: %v", err)
	}
	note := []byte(`{"metadata": {"annotations": {"example.org/note": "this much may be"}}}`)
	if _, err := orders.Patch(t.Context(), "changed", types.MergePatchType, note, metav1.PatchOptions{}); err != nil {
		t.Errorf("an annotation was refused: %v", err)
	}
	if err := orders.Delete(t.Context(), "changed", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	collectChallenges(t, thief)
}

// A Challenge made by hand ends at the target of its own namespace, if anywhere.
func byChallenge(t *testing.T, target string) {
	challenges := w.CM.AcmeV1().Challenges(thief)
	forged := &acmev1.Challenge{ObjectMeta: metav1.ObjectMeta{Name: "forged"}, Spec: acmev1.ChallengeSpec{
		Type: acmev1.ACMEChallengeTypeDNS01, DNSName: "strict.example.com", Wildcard: true, Key: "forged", Token: "forged",
		URL: world.DirectoryURL, AuthorizationURL: world.DirectoryURL, IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "strict"},
		Solver: acmev1.ACMEChallengeSolver{DNS01: &acmev1.ACMEChallengeSolverDNS01{Webhook: &acmev1.ACMEIssuerDNS01ProviderWebhook{GroupName: world.Zone, SolverName: "signpost"}}},
	}}
	if _, err := challenges.Create(t.Context(), forged, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the forged Challenge is refused", func() bool {
		c, err := challenges.Get(t.Context(), "forged", metav1.GetOptions{})
		return err == nil && !c.Status.Presented && (strings.Contains(c.Status.Reason, target) || c.Status.State == acmev1.Errored || c.Status.State == acmev1.Expired)
	})
	noValue(t, "strict.example.com", "strict-owner", thief, "cert-manager")
	collectChallenges(t, thief)
}

// What one Issuer has proved every other of the account can use, also
// one for HTTP-01 alone. One that is not named is denied everything, one that is named the same rule.
func byAnotherIssuer(t *testing.T, theirs func(string) bool) {
	createIssuer(t, world.IssuerOptions{Name: "strict-unnamed", Account: "strict-account", HTTP01: true})
	createIssuer(t, world.IssuerOptions{Name: "strict-named", Account: "strict-account", HTTP01: true})
	createCertificate(t, thief, "unnamed", "ClusterIssuer", "strict-unnamed", "strict.example.com")
	denial(t, thief, "unnamed", func(text string) bool { return strings.Contains(text, "orderGate.issuers") })
	createCertificate(t, thief, "named", "ClusterIssuer", "strict-named", "strict.example.com")
	denial(t, thief, "named", theirs)
	eventually(t, "the page and the metric name the Issuer", func() bool {
		return strings.Contains(get(t, "/status.json"), `"ClusterIssuer/strict-unnamed"`) && !strings.Contains(get(t, "/metrics"), "\nsignpost_gate_unnamed_issuers 0\n")
	})
	if err := w.CM.CertmanagerV1().ClusterIssuers().Delete(t.Context(), "strict-unnamed", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// noValue checks that no value of a domain is at the targets of some scopes.
func noValue(t *testing.T, domain string, scopes ...string) {
	t.Helper()
	for _, scope := range scopes {
		target, err := world.Target(scope, domain)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := w.Redis.Keys(t.Context(), "signpost:{"+world.Zone+"}:"+strings.TrimSuffix(target, "."+world.Zone))
		if err != nil || len(keys) > 0 {
			t.Errorf("a value is at the target of %s: %q, %v", scope, keys, err)
		}
	}
}
