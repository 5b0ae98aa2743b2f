package cluster

import (
	"context"
	"slices"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// A Certificate says whether its Issuer is Ready: as it is specified now, and not as
// it was before a change.
func TestIssuerReady(t *testing.T) {
	ready, notReady, changed, fresh := issuerIn("web", "ready", uriA, ours("")), issuerIn("web", "not-ready", uriA, ours("")),
		issuerIn("web", "changed", uriA, ours("")), issuerIn("web", "fresh", "", ours(""))
	notReady.Status.Conditions[0].Status = cmmeta.ConditionFalse
	changed.Generation = 2
	objects := []runtime.Object{ready, notReady, changed, fresh}
	for _, name := range []string{"ready", "not-ready", "changed", "fresh"} {
		objects = append(objects, &cmv1.Certificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: name},
			Spec:       cmv1.CertificateSpec{DNSNames: []string{"*.example.com"}, IssuerRef: cmmeta.IssuerReference{Name: name}},
		})
	}
	list := newWorld(t, nil, objects...).Certificates()
	if len(list) != 4 {
		t.Fatalf("%d Certificates", len(list))
	}
	for _, c := range list {
		if c.IssuerReady != (c.Name == "ready") {
			t.Errorf("%s: ready %v", c.Name, c.IssuerReady)
		}
	}
}

// What is remembered of Certificates follows every change, of themselves and of Issuers.
func TestCertificatesFollowChanges(t *testing.T) {
	one := func(version string, dnsNames ...string) *cmv1.Certificate {
		return &cmv1.Certificate{
			ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "c", UID: "u", ResourceVersion: version},
			Spec:       cmv1.CertificateSpec{DNSNames: dnsNames, IssuerRef: cmmeta.IssuerReference{Name: "mine"}},
		}
	}
	w := newWorld(t, nil, one("1", "a.example.com"), issuerIn("web", "mine", uriA, ours("")))
	ctx, certificates, issuers := context.Background(), w.cm.CertmanagerV1().Certificates("web"), w.cm.CertmanagerV1().Issuers("web")
	is := func(what string, names ...string) {
		t.Helper()
		t.Log(what)
		w.eventually(t, func() bool {
			for range 2 { // the second time it is remembered
				var got []string
				for _, c := range w.Certificates() {
					got = append(got, c.DNSNames...)
				}
				if !slices.Equal(got, names) {
					return false
				}
			}
			return true
		})
	}
	is("a Certificate", "a.example.com")
	_, _ = certificates.Update(ctx, one("2", "a.example.com", "b.example.com"), metav1.UpdateOptions{})
	is("it has another name", "a.example.com", "b.example.com")
	_, _ = issuers.Update(ctx, issuerIn("web", "mine", uriA, http01()), metav1.UpdateOptions{})
	is("its names go elsewhere")
	_, _ = issuers.Update(ctx, issuerIn("web", "mine", uriA, ours("")), metav1.UpdateOptions{})
	is("and come back", "a.example.com", "b.example.com")
	_ = certificates.Delete(ctx, "c", metav1.DeleteOptions{})
	is("it is gone")
}
