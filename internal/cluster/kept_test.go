package cluster

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/google/uuid"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What nobody reads is not kept, and what an Order will be decided by is.
func TestKeep(t *testing.T) {
	meta := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "web", Name: "o", UID: "u", ResourceVersion: "1", Labels: map[string]string{"a": "b"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}, Annotations: map[string]string{
				corev1.LastAppliedConfigAnnotation: "{}", cmv1.CertificateNameKey: "web", cmv1.CertificateRequestRevisionAnnotationKey: "3"}}
	}
	kept := func(o any) metav1.Object {
		t.Helper()
		out, err := keep(o)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := keep(out); err != nil || again != out {
			t.Errorf("%T: kept once more it is %v, %v", o, again, err)
		}
		m := out.(metav1.Object)
		if len(m.GetManagedFields()) > 0 || m.GetAnnotations()[corev1.LastAppliedConfigAnnotation] != "" {
			t.Errorf("%T: managed fields %v, annotations %v", o, m.GetManagedFields(), m.GetAnnotations())
		}
		if m.GetNamespace() != "web" || m.GetName() != "o" || m.GetUID() != "u" || m.GetResourceVersion() != "1" || m.GetLabels()["a"] != "b" {
			t.Errorf("%T: kept as %+v", o, m)
		}
		return m
	}
	text := csr(t, "", nil, "example.com")
	of := func(reason string, status cmmeta.ConditionStatus) *request {
		return kept(&cmv1.CertificateRequest{ObjectMeta: meta(), Spec: cmv1.CertificateRequestSpec{Request: text},
			Status: cmv1.CertificateRequestStatus{Certificate: []byte("PEM"), CA: []byte("PEM"), Conditions: []cmv1.CertificateRequestCondition{
				{Type: cmv1.CertificateRequestConditionReady, Status: status, Reason: reason, Message: "Failed create new order resource"}}}}).(*request)
	}
	if r := of(cmv1.CertificateRequestReasonPending, cmmeta.ConditionFalse); r.names == nil || r.names.dns[0] != "example.com" || !r.denied || r.certificate != "web" || r.revision != "3" {
		t.Errorf("of one that waits: %+v", r)
	}
	if r := of(cmv1.CertificateRequestReasonIssued, cmmeta.ConditionTrue); r.names != nil || r.denied || r.certificate != "web" || r.revision != "3" {
		t.Errorf("of one that is issued: %+v", r)
	}
	signing := &certificatesv1.CertificateSigningRequest{ObjectMeta: meta(), Spec: certificatesv1.CertificateSigningRequestSpec{Request: text, SignerName: signerIssuer + "web.mine"}}
	if r := kept(signing).(*request); !r.signing || r.names == nil || r.issuer.Value() != (IssuerRef{Kind: kindIssuer, Namespace: "web", Name: "mine"}) {
		t.Errorf("of one to be signed: %+v", r)
	}
	signing.Status.Certificate = bytes.Repeat([]byte("PEM"), 1000)
	if r := kept(signing).(*request); !r.signing || r.names != nil {
		t.Errorf("of one that is signed: %+v", r)
	}
	one, now := 1, metav1.Now()
	c := kept(&cmv1.Certificate{ObjectMeta: meta(), Spec: cmv1.CertificateSpec{SecretName: "s", DNSNames: []string{"*.Example.com"}, IssuerRef: cmmeta.IssuerReference{Name: "mine"}},
		Status: cmv1.CertificateStatus{Revision: &one, NotAfter: &now, RenewalTime: &now, Conditions: []cmv1.CertificateCondition{
			{Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionFalse, Message: "why"},
			{Type: cmv1.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, LastTransitionTime: &now}}}}).(*certificate)
	if c.secret != "s" || c.names.dns[0] != "*.example.com" || c.issuer.Value().Name != "mine" || c.revision != "2" || c.ready || c.reason != "why" ||
		!c.issuing || !c.since.Equal(now.Time) || !c.notAfter.Equal(now.Time) || !c.renewal.Equal(now.Time) {
		t.Errorf("of a Certificate: %+v", c)
	}
	kept(&cmv1.ClusterIssuer{ObjectMeta: meta()})
	if o, err := keep("no object"); o != "no object" || err != nil {
		t.Errorf("%v, %v", o, err)
	}
}

// What is kept of a Certificate and of its request, which is done, is small, whatever
// else they have in them.
func TestKeptIsSmall(t *testing.T) {
	const count, most = 5000, 1 << 10 // octets for both
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	list := make([]any, 0, 2*count)
	before := heap()
	for i := range count {
		meta, now := metav1.ObjectMeta{Namespace: "web", Name: fmt.Sprint("wildcard-shop-", i, "-example-com"), UID: types.UID(uuid.NewString()), ResourceVersion: fmt.Sprint(i),
			ManagedFields: []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(strings.Repeat("{}", 1000))}},
			Annotations:   map[string]string{corev1.LastAppliedConfigAnnotation: string(make([]byte, 1000))}}, metav1.Now()
		certificate, err := keep(&cmv1.Certificate{ObjectMeta: meta, Spec: cmv1.CertificateSpec{SecretName: fmt.Sprint("shop-", i, "-tls"), PrivateKey: &cmv1.CertificatePrivateKey{},
			DNSNames: []string{fmt.Sprintf("shop-%d.example.com", i), fmt.Sprintf("*.shop-%d.example.com", i)}, IssuerRef: cmmeta.IssuerReference{Kind: "ClusterIssuer", Name: "ca"}},
			Status: cmv1.CertificateStatus{NotAfter: &now, RenewalTime: &now, Conditions: []cmv1.CertificateCondition{
				{Type: cmv1.CertificateConditionReady, Status: cmmeta.ConditionTrue, Reason: "Ready", Message: string(make([]byte, 100))}}}})
		if err != nil {
			t.Fatal(err)
		}
		request, err := keep(&cmv1.CertificateRequest{ObjectMeta: meta, Spec: cmv1.CertificateRequestSpec{Request: make([]byte, 1000)},
			Status: cmv1.CertificateRequestStatus{Certificate: make([]byte, 4000), Conditions: []cmv1.CertificateRequestCondition{
				{Type: cmv1.CertificateRequestConditionReady, Status: cmmeta.ConditionTrue, Reason: cmv1.CertificateRequestReasonIssued}}}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, certificate, request)
	}
	if each := (heap() - before) / count; each > most {
		t.Errorf("%d octets each, more than %d", each, most)
	} else {
		t.Logf("%d octets each", each)
	}
	runtime.KeepAlive(list)
}
