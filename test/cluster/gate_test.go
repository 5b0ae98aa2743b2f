package cluster

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/test/world"
)

// gateConfiguration is the gate's ValidatingWebhookConfiguration.
const gateConfiguration = Release + "-order-gate"

// beforeDelegation is the time between the installation and the records: what needs
// Signpost waits at the gate, with an event that names the record, and nothing else
// waits. A namespace in which something waits can be deleted.
func beforeDelegation(t *testing.T) {
	const early = "early"
	kubectl(t, "create", "namespace", early)
	createIn(t, early, "waits", "signpost", "*.early.example.com")
	denied(t, early, "waits", "early.example.com")
	for _, kind := range []string{"Certificate", "CertificateRequest"} {
		eventually(t, "an event on the "+kind+" names the record", func() bool {
			return strings.Contains(kubectl(t, "get", "events", "-n", early, "--field-selector=source=signpost,involvedObject.kind="+kind, "-o", "jsonpath={.items[*].message}"),
				"_acme-challenge.early.example.com CNAME ")
		})
	}
	if err := c.CreateIssuer(t.Context(), world.IssuerOptions{Name: "other", HTTP01: true}); err != nil {
		t.Fatal(err)
	}
	createIn(t, early, "other", "other", "other.example.com")
	eventually(t, "the Order for another Issuer is created, and none for ours", func() bool {
		orders := kubectl(t, "get", "orders", "-n", early, "-o", "name")
		return strings.Contains(orders, "/other-1-") && !strings.Contains(orders, "waits")
	})
	deleteNamespace(t, early)
	if err := c.Delegate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// denied waits until a Certificate's request has been denied an Order, with a text
// that names the record of the domain.
func denied(t *testing.T, namespace, certificate, domain string) {
	t.Helper()
	target, err := world.Target(certManager, domain)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request of "+namespace+"/"+certificate+" is denied an Order", func() bool {
		r, err := c.CM.CertmanagerV1().CertificateRequests(namespace).Get(t.Context(), certificate+"-1", metav1.GetOptions{})
		if err != nil {
			return false // cert-manager has not made it yet
		}
		for _, condition := range r.Status.Conditions {
			if strings.Contains(condition.Message, "denied the request") && strings.Contains(condition.Message, "_acme-challenge."+domain+" CNAME "+target) {
				return true
			}
		}
		return false
	})
}

// pastGate makes a Certificate whose record is missing and whose Challenge exists all
// the same: its Order is created while the API server does not ask the gate.
func pastGate(t *testing.T, name string, dnsNames ...string) {
	t.Helper()
	configurations := c.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	gate, err := configurations.Get(t.Context(), gateConfiguration, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "delete", "validatingwebhookconfiguration", gateConfiguration)
	create(t, name, dnsNames...)
	eventually(t, name+" has an Order", func() bool {
		return strings.Contains(kubectl(t, "get", "orders", "-n", "default", "-o", "name"), "/"+name+"-1-")
	})
	gate.ObjectMeta = metav1.ObjectMeta{Name: gate.Name, Labels: gate.Labels, Annotations: gate.Annotations}
	if _, err := configurations.Create(t.Context(), gate, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func deleteNamespace(t *testing.T, name string) {
	t.Helper()
	kubectl(t, "delete", "namespace", name, "--wait=false")
	eventually(t, "namespace "+name+" gone", func() bool {
		_, err := c.Kube.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}
