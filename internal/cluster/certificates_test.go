package cluster

import (
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
