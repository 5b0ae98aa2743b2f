package cluster

import (
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// issued stands for a certificate in the memory of a CertificateSigningRequest: that
// there is one is all that counts.
var issued = []byte("-")

// strip drops from an object what nobody reads, to save memory: each Certificate has a
// request that stays, with the PEM of a whole chain in it. It is called before the
// object is shared.
func strip(o any) (any, error) {
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
		delete(m.GetAnnotations(), corev1.LastAppliedConfigAnnotation) // the object once more
	}
	switch o := o.(type) {
	case *cmv1.CertificateRequest:
		o.Status.Certificate, o.Status.CA = nil, nil
		if stateOf(o).done {
			o.Spec.Request = nil
		}
	case *certificatesv1.CertificateSigningRequest:
		if len(o.Status.Certificate) > 0 {
			o.Status.Certificate, o.Spec.Request = issued, nil
		}
	}
	return o, nil
}
