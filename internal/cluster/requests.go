package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Request is a CertificateRequest, or a CertificateSigningRequest of Kubernetes,
// that is not done, and whose Order the gate decides on.
type Request struct {
	Wanted
	Namespace   string // empty for a CertificateSigningRequest
	Name        string
	UID         types.UID
	Certificate string // name of the Certificate that it is for; empty for none
	Denied      bool   // cert-manager's last attempt to create its Order has failed
	Since       time.Time

	Signing bool // a CertificateSigningRequest, on which a denial cannot be seen
}

// Requests returns those that are known, in no particular order; none before the
// Issuers have been read.
func (x *Cluster) Requests() (list []Request) {
	if !x.Ready() {
		return nil
	}
	x.requestMemo.renew(x.issuersChanged.Load(), func(remembered remembering[Request]) {
		add := func(o metav1.Object, request func() (Request, bool)) {
			if r, ok := remembered(o, request); ok {
				list = append(list, r)
			}
		}
		for _, o := range x.requests.list() {
			r := o.(*cmv1.CertificateRequest)
			add(r, func() (Request, bool) { return x.request(r) })
		}
		for _, o := range x.signingRequests.list() {
			r := o.(*certificatesv1.CertificateSigningRequest)
			add(r, func() (Request, bool) { return x.signingRequest(r) })
		}
	})
	return list
}

// FollowsRequests reports whether Requests has read everything.
func (x *Cluster) FollowsRequests() bool { return x.requests.synced() }

func (x *Cluster) request(r *cmv1.CertificateRequest) (out Request, ok bool) {
	if foreign(r.Spec.IssuerRef.Group) {
		return out, false
	}
	state := stateOf(r)
	if state.done {
		return out, false
	}
	n, ok := x.parsed.names(r.UID, r.Spec.Request)
	if !ok {
		return out, false
	}
	w, known := x.wanted(refIn(r.Namespace, r.Spec.IssuerRef.Kind, r.Spec.IssuerRef.Name), r.Namespace, r.Labels, n)
	return Request{Wanted: w, Namespace: r.Namespace, Name: r.Name, UID: r.UID, Denied: state.denied,
		Certificate: r.Annotations[cmv1.CertificateNameKey], Since: r.CreationTimestamp.Time}, known && w.Ours()
}

// requestState is what cert-manager says about a CertificateRequest.
type requestState struct {
	done    bool // it will have no further Order
	denied  bool // the last attempt to create its Order has failed
	message string
}

func stateOf(r *cmv1.CertificateRequest) (s requestState) {
	for _, c := range r.Status.Conditions {
		switch {
		case c.Type == cmv1.CertificateRequestConditionReady && c.Reason == cmv1.CertificateRequestReasonPending:
			s.denied, s.message = strings.HasPrefix(c.Message, "Failed create new order resource"), c.Message
		case c.Type == cmv1.CertificateRequestConditionReady && c.Reason != "" && c.Status != cmmeta.ConditionUnknown,
			c.Type == cmv1.CertificateRequestConditionDenied, c.Type == cmv1.CertificateRequestConditionInvalidRequest:
			s.done = true
		}
	}
	return s
}

// The signers of cert-manager: <plural kind>.cert-manager.io/<name>, for an Issuer
// <namespace>.<name>.
const (
	signerIssuer        = "issuers.cert-manager.io/"
	signerClusterIssuer = "clusterissuers.cert-manager.io/"
)

func (x *Cluster) signingRequest(r *certificatesv1.CertificateSigningRequest) (out Request, ok bool) {
	if len(r.Status.Certificate) > 0 {
		return out, false
	}
	for _, c := range r.Status.Conditions {
		if c.Type == certificatesv1.CertificateFailed || c.Type == certificatesv1.CertificateDenied {
			return out, false
		}
	}
	ref, namespace := IssuerRef{Kind: kindClusterIssuer}, x.config.Namespace // where its Order will be
	if name, ok := strings.CutPrefix(r.Spec.SignerName, signerClusterIssuer); ok {
		ref.Name = name
	} else if name, ok := strings.CutPrefix(r.Spec.SignerName, signerIssuer); ok {
		namespace, name, _ = strings.Cut(name, ".")
		ref = IssuerRef{Kind: kindIssuer, Namespace: namespace, Name: name}
	} else {
		return out, false
	}
	n, ok := x.parsed.names(r.UID, r.Spec.Request)
	if !ok {
		return out, false
	}
	w, known := x.wanted(ref, namespace, r.Labels, n)
	return Request{Wanted: w, Name: r.Name, UID: r.UID, Since: r.CreationTimestamp.Time, Signing: true}, known && w.Ours()
}

// NudgeRequest makes cert-manager retry the Order of a request at once, instead of
// after its back-off.
func (x *Cluster) NudgeRequest(ctx context.Context, r Request) error {
	patch, err := nudgePatch(r.UID)
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: x.config.Solver}
	if r.Signing {
		_, err = x.kube.CertificatesV1().CertificateSigningRequests().Patch(ctx, r.Name, types.MergePatchType, patch, options)
	} else {
		_, err = x.cm.CertmanagerV1().CertificateRequests(r.Namespace).Patch(ctx, r.Name, types.MergePatchType, patch, options)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("annotating certificate request %s/%s: %w", r.Namespace, r.Name, err)
	}
	return nil
}

// nudgePatch changes an annotation, which makes cert-manager look at the object.
func nudgePatch(uid types.UID) ([]byte, error) {
	return json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         uid, // not another of the same name
		"annotations": map[string]string{nudged: time.Now().UTC().Format(time.RFC3339Nano)},
	}})
}

// TellRequest makes an event with a message for people on a request and on its
// Certificate. Saying the same again changes nothing.
func (x *Cluster) TellRequest(ctx context.Context, r Request, reason, message string) error {
	about := corev1.ObjectReference{APIVersion: cmv1.SchemeGroupVersion.String(), Kind: cmv1.CertificateRequestKind, Namespace: r.Namespace, Name: r.Name, UID: r.UID}
	if r.Signing {
		about = corev1.ObjectReference{APIVersion: certificatesv1.SchemeGroupVersion.String(), Kind: "CertificateSigningRequest", Name: r.Name, UID: r.UID}
	}
	if err := x.event(ctx, about, r.UID, reason, message); err != nil || r.Certificate == "" {
		return err
	}
	certificate, err := x.certificateNamed(ctx, r.Namespace, r.Certificate)
	if err != nil || certificate.Name == "" {
		return err
	}
	return x.event(ctx, certificate, r.UID, reason, message)
}
