package cluster

import (
	"bytes"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What nobody reads is not kept, and what an Order will be decided by is.
func TestStrip(t *testing.T) {
	meta := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}, Annotations: map[string]string{
			corev1.LastAppliedConfigAnnotation: "{}", cmv1.CertificateNameKey: "web", nudged: "now"}}
	}
	request := func(reason string, status cmmeta.ConditionStatus) *cmv1.CertificateRequest {
		return &cmv1.CertificateRequest{ObjectMeta: meta(), Spec: cmv1.CertificateRequestSpec{Request: []byte("PEM")},
			Status: cmv1.CertificateRequestStatus{Certificate: []byte("PEM"), CA: []byte("PEM"),
				Conditions: []cmv1.CertificateRequestCondition{{Type: cmv1.CertificateRequestConditionReady, Status: status, Reason: reason}}}}
	}
	kept := func(o any) metav1.Object {
		t.Helper()
		out, err := strip(o)
		if err != nil {
			t.Fatal(err)
		}
		m := out.(metav1.Object)
		if a := m.GetAnnotations(); len(m.GetManagedFields()) > 0 || len(a) != 2 || a[cmv1.CertificateNameKey] != "web" || a[nudged] != "now" {
			t.Errorf("%T: managed fields %v, annotations %v", o, m.GetManagedFields(), a)
		}
		return m
	}
	waits := kept(request(cmv1.CertificateRequestReasonPending, cmmeta.ConditionFalse)).(*cmv1.CertificateRequest)
	if string(waits.Spec.Request) != "PEM" || waits.Status.Certificate != nil || waits.Status.CA != nil {
		t.Errorf("of one that waits: %+v", waits)
	}
	done := kept(request(cmv1.CertificateRequestReasonIssued, cmmeta.ConditionTrue)).(*cmv1.CertificateRequest)
	if done.Spec.Request != nil || done.Status.Certificate != nil || !stateOf(done).done {
		t.Errorf("of one that is issued: %+v", done)
	}
	signing := &certificatesv1.CertificateSigningRequest{ObjectMeta: meta(), Spec: certificatesv1.CertificateSigningRequestSpec{Request: []byte("PEM")}}
	if s := kept(signing).(*certificatesv1.CertificateSigningRequest); string(s.Spec.Request) != "PEM" || s.Status.Certificate != nil {
		t.Errorf("of one to be signed: %+v", s)
	}
	signing = &certificatesv1.CertificateSigningRequest{ObjectMeta: meta(), Spec: certificatesv1.CertificateSigningRequestSpec{Request: []byte("PEM")},
		Status: certificatesv1.CertificateSigningRequestStatus{Certificate: bytes.Repeat([]byte("PEM"), 1000)}}
	if s := kept(signing).(*certificatesv1.CertificateSigningRequest); s.Spec.Request != nil || len(s.Status.Certificate) != 1 {
		t.Errorf("of one that is signed: %+v", s)
	}
	if o, err := strip("no object"); o != "no object" || err != nil {
		t.Errorf("%v, %v", o, err)
	}
}
