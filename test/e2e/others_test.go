package e2e

import (
	"strings"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

// With --gate-other-solvers nobody holds a name that is delegated to us: a challenge
// that another solver never answers would keep its owner's from being worked on.
func TestOtherSolvers(t *testing.T) {
	replicasWith(t, "--gate-other-solvers")
	createIssuer(t, world.IssuerOptions{Name: "owner"})
	const tenant = "other-tenant"
	createIssuer(t, world.IssuerOptions{Namespace: tenant, Name: "dead", RFC2136: &acmev1.ACMEIssuerDNS01ProviderRFC2136{Nameserver: "192.0.2.240:53"}})
	setCNAME(t, "example.com", "held.example.com", "cert-manager")
	setCNAME(t, "example.com", "tenant.example.com", tenant)

	createCertificate(t, tenant, "held", "Issuer", "dead", "*.held.example.com")
	denial(t, tenant, "held", func(text string) bool {
		return strings.Contains(text, "another solver") && strings.Contains(text, "_acme-challenge.held.example.com")
	})
	eventually(t, "an event says whose name it is", func() bool {
		return strings.Contains(events(t, tenant)["Certificate"], "another solver may not hold the name")
	})
	issue(t, "web", "held", "ClusterIssuer", "owner", "*.held.example.com")
	noOrder(t, tenant)

	// Names that are nobody's here, and those of the tenant's own namespace, pass.
	for _, name := range []string{"free", "tenant"} {
		createCertificate(t, tenant, name, "Issuer", "dead", "*."+name+".example.com")
		eventually(t, "the Order for "+name+" is created", func() bool {
			list, err := w.CM.AcmeV1().Orders(tenant).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range list.Items {
				if strings.HasPrefix(o.Name, name+"-") {
					return true
				}
			}
			return false
		})
	}
	if err := w.CM.CertmanagerV1().Certificates(tenant).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	deleteOrders(t, tenant)
	leavesNothing(t)
}

// While the certificate of the API port has expired, Orders for protected Issuers
// wait, and all others are created. After its rotation all goes on by itself.
func TestWebhookCertificateExpires(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "expired-other"})
	createIssuer(t, world.IssuerOptions{Name: "expired"}) // one of world.ProtectedIssuers
	setCNAME(t, "example.com", "expired.example.com", "cert-manager")
	setCNAME(t, "example.com", "expired-other.example.com", "cert-manager")
	rotate := func(end time.Time) {
		t.Helper()
		if _, _, err := w.RotateCertificate(end); err != nil {
			t.Fatal(err)
		}
	}
	rotate(time.Now().Add(-time.Minute))
	rotated := false
	defer func() {
		if !rotated {
			rotate(time.Time{})
		}
	}()
	restartReplicas(t.Context(), t) // else the API server's connections would go on

	createCertificate(t, "expired", "guarded", "ClusterIssuer", "expired", "*.expired.example.com")
	createCertificate(t, "expired", "other", "ClusterIssuer", "expired-other", "*.expired-other.example.com")
	eventually(t, "the protected Issuer's Order is not created", func() bool {
		return strings.Contains(ready(t, "expired", "guarded"), "certificate has expired")
	})
	eventually(t, "the other Issuer's Order is created", func() bool {
		list, err := w.CM.AcmeV1().Orders("expired").List(t.Context(), metav1.ListOptions{})
		return err == nil && len(list.Items) == 1 && strings.HasPrefix(list.Items[0].Name, "other-")
	})
	rotate(time.Time{})
	rotated = true
	waitReady(t, "expired", "guarded", "*.expired.example.com")
	waitReady(t, "expired", "other", "*.expired-other.example.com")
	leavesNothing(t)
}
