package e2e

import (
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// sign makes an approved CertificateSigningRequest of Kubernetes for a ClusterIssuer.
func sign(t *testing.T, name, issuer, domain string) {
	t.Helper()
	requests := w.Kube.CertificatesV1().CertificateSigningRequests()
	r, err := requests.Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: csr(t, "", domain), SignerName: "clusterissuers.cert-manager.io/" + issuer,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test", Message: "approved by the test"})
	if _, err := requests.UpdateApproval(t.Context(), name, r, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// signed returns the certificate of a CertificateSigningRequest, if it has one.
func signed(t *testing.T, name string) []byte {
	t.Helper()
	r, err := w.Kube.CertificatesV1().CertificateSigningRequests().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Certificate
}

// saidOfSigning waits until one of our events on a CertificateSigningRequest says text.
func saidOfSigning(t *testing.T, name, text string) {
	t.Helper()
	eventually(t, "an event on "+name+" says "+text, func() bool {
		list, err := w.Kube.CoreV1().Events("").List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.kind=CertificateSigningRequest,involvedObject.name=" + name})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Items {
			if e.Source.Component == "signpost" && strings.Contains(e.Message, text) {
				return true
			}
		}
		return false
	})
}

// A CertificateSigningRequest of Kubernetes whose record is missing has no Order. Our
// event on it is all that people see; it goes on by itself when the record appears.
func TestSigningRequestWaits(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "signing"})
	sign(t, "signing-waits", "signing", "signing.example.com")
	target, err := world.Target("cert-manager", "signing.example.com")
	if err != nil {
		t.Fatal(err)
	}
	saidOfSigning(t, "signing-waits", "_acme-challenge.signing.example.com CNAME "+target)
	if n := asked("signing.example.com"); n != 0 {
		t.Errorf("the CA has validated %d times without a CNAME", n)
	}
	setCNAME(t, "example.com", "signing.example.com", "cert-manager")
	poll.True(t, 2*time.Minute, "it is signed", func() bool { return len(signed(t, "signing-waits")) > 0 })
	leavesNothing(t)
}

// With strict namespaces a CertificateSigningRequest under a ClusterIssuer, whose
// Order would be in the cluster resource namespace, is no tenant's: it is refused,
// also where the record is there.
func TestSigningRequestStrict(t *testing.T) {
	replicasWith(t, "--strict-namespaces")
	createIssuer(t, world.IssuerOptions{Name: "strict-signing"})
	setCNAME(t, "example.com", "signing-strict.example.com", "cert-manager")
	sign(t, "signing-strict", "strict-signing", "signing-strict.example.com")
	saidOfSigning(t, "signing-strict", "orderGate.clusterNamespace")
	if len(signed(t, "signing-strict")) > 0 {
		t.Error("it is signed")
	}
	if n := asked("signing-strict.example.com"); n != 0 {
		t.Errorf("the CA has validated %d times", n)
	}
	if err := w.Kube.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), "signing-strict", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	leavesNothing(t)
}
