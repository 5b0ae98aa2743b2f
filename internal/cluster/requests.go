package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	issuers := x.issuersChanged.Load()
	for _, o := range slices.Concat(x.requests.list(), x.signingRequests.list()) {
		r := o.(*request)
		if r.names == nil {
			continue
		}
		if known := r.memo.of(issuers, func() (Request, bool) { return x.request(r) }); known != nil {
			list = append(list, *known)
		}
	}
	return list
}

// FollowsRequests reports whether Requests has read everything.
func (x *Cluster) FollowsRequests() bool { return x.requests.synced() }

func (x *Cluster) request(r *request) (out Request, ok bool) {
	issuer := r.issuer.Value()
	namespace := cmp.Or(r.Namespace, issuer.Namespace, x.config.Namespace) // where its Order will be
	w, known := x.wanted(issuer, namespace, r.Labels, *r.names)
	return Request{Wanted: w, Namespace: r.Namespace, Name: r.Name, UID: r.UID, Denied: r.denied, Signing: r.signing,
		Certificate: r.certificate, Since: r.CreationTimestamp.Time}, known && w.Ours()
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
