package cluster

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"
	"unique"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// certificate is what is kept of a Certificate. It is never changed, but for what is
// remembered of it.
type certificate struct {
	metav1.ObjectMeta                                       // what metaOf leaves of it
	issuer            unique.Handle[cmmeta.IssuerReference] // thousands have the same
	secret            string
	names             names
	revision          string // of the issuance that is next, or under way
	issuing           bool
	since             time.Time // when that began; zero if it is not told
	ready             bool
	reason            string // cert-manager's words, when it is not ready
	notAfter, renewal *time.Time

	memo memo[Certificate]
}

// request is what is kept of a CertificateRequest, or of a CertificateSigningRequest:
// each Certificate has one that stays. Likewise never changed.
type request struct {
	metav1.ObjectMeta // what metaOf leaves of it
	issuer            unique.Handle[IssuerRef]
	certificate       string // that it is for, and the revision of it; empty for none
	revision          string
	names             *names // nil for one that is done, or that cannot be parsed
	denied            bool   // the last attempt to create its Order has failed
	signing           bool   // it is a CertificateSigningRequest

	memo memo[Request]
}

// keep returns what is kept of an object: the same, without what nobody reads, or a
// smaller one. It is called before the object is shared, and may be called again with
// what it has returned. See cache.TransformFunc.
func keep(o any) (any, error) {
	switch o := o.(type) {
	case *cmv1.Certificate:
		return keepCertificate(o), nil
	case *cmv1.CertificateRequest:
		return keepRequest(o), nil
	case *certificatesv1.CertificateSigningRequest:
		return keepSigningRequest(o), nil
	case *certificate, *request: // already
	case metav1.Object:
		o.SetManagedFields(nil)
		delete(o.GetAnnotations(), corev1.LastAppliedConfigAnnotation) // the object once more
	}
	return o, nil
}

// metaOf returns what finds an object, and its labels, by which solvers are selected.
func metaOf(o metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion,
		Labels: o.Labels, CreationTimestamp: o.CreationTimestamp}
}

func keepCertificate(o *cmv1.Certificate) *certificate {
	c := &certificate{
		ObjectMeta: metaOf(o.ObjectMeta), issuer: unique.Make(o.Spec.IssuerRef), secret: o.Spec.SecretName,
		names: orderedNames(o.Spec.DNSNames, o.Spec.CommonName, o.Spec.IPAddresses), revision: nextRevision(o),
	}
	for _, condition := range o.Status.Conditions {
		switch yes := condition.Status == cmmeta.ConditionTrue; {
		case condition.Type == cmv1.CertificateConditionReady && yes:
			c.ready = true
		case condition.Type == cmv1.CertificateConditionReady:
			c.reason = condition.Message
		case condition.Type == cmv1.CertificateConditionIssuing && yes:
			c.issuing = true
			if condition.LastTransitionTime != nil {
				c.since = condition.LastTransitionTime.Time
			}
		}
	}
	if t := o.Status.NotAfter; t != nil {
		c.notAfter = &t.Time
	}
	if t := o.Status.RenewalTime; t != nil {
		c.renewal = &t.Time
	}
	return c
}

func keepRequest(o *cmv1.CertificateRequest) *request {
	state := stateOf(o)
	r := &request{
		ObjectMeta: metaOf(o.ObjectMeta), issuer: unique.Make(refIn(o.Namespace, o.Spec.IssuerRef.Kind, o.Spec.IssuerRef.Name)), denied: state.denied,
		certificate: o.Annotations[cmv1.CertificateNameKey], revision: o.Annotations[cmv1.CertificateRequestRevisionAnnotationKey],
	}
	if !state.done && !foreign(o.Spec.IssuerRef.Group) {
		r.names = namesIn(o.Spec.Request)
	}
	return r
}

// The signers of cert-manager: <plural kind>.cert-manager.io/<name>, for an Issuer
// <namespace>.<name>.
const (
	signerIssuer        = "issuers.cert-manager.io/"
	signerClusterIssuer = "clusterissuers.cert-manager.io/"
)

func keepSigningRequest(o *certificatesv1.CertificateSigningRequest) *request {
	r := &request{ObjectMeta: metaOf(o.ObjectMeta), signing: true}
	done := len(o.Status.Certificate) > 0
	for _, c := range o.Status.Conditions {
		done = done || c.Type == certificatesv1.CertificateFailed || c.Type == certificatesv1.CertificateDenied
	}
	if name, ok := strings.CutPrefix(o.Spec.SignerName, signerClusterIssuer); ok {
		r.issuer = unique.Make(IssuerRef{Kind: kindClusterIssuer, Name: name})
	} else if name, ok := strings.CutPrefix(o.Spec.SignerName, signerIssuer); ok {
		namespace, name, _ := strings.Cut(name, ".")
		r.issuer = unique.Make(IssuerRef{Kind: kindIssuer, Namespace: namespace, Name: name})
	} else { // another signer's
		done = true
	}
	if !done {
		r.names = namesIn(o.Spec.Request)
	}
	return r
}

// namesIn returns what a PKCS #10 request in PEM asks for, nil for one that
// cert-manager will refuse.
func namesIn(text []byte) *names {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil
	}
	var ips []string
	for _, ip := range csr.IPAddresses {
		ips = append(ips, ip.String())
	}
	n := orderedNames(csr.DNSNames, csr.Subject.CommonName, ips)
	return &n
}
