package cluster

import (
	"context"
	"fmt"
	"hash/fnv"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// event makes an event on an object. Its name is a function of what it says, so
// that the same event of any replica is the same object; cause is the UID of what
// it is said because of.
func (x *Cluster) event(ctx context.Context, about corev1.ObjectReference, cause types.UID, reason, message string) error {
	namespace := about.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault // where events on objects without a namespace are
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(string(about.UID) + reason + message + string(cause)))
	now := metav1.Now()
	_, err := x.kube.CoreV1().Events(namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("signpost.%x", h.Sum64()), Namespace: namespace},
		InvolvedObject: about, Type: corev1.EventTypeWarning, Reason: reason, Message: message,
		Source: corev1.EventSource{Component: x.config.Solver}, Count: 1, FirstTimestamp: now, LastTimestamp: now,
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making an event in namespace %s: %w", namespace, err)
	}
	return nil
}

// certificateNamed returns a reference to a Certificate, the zero reference if
// it does not exist.
func (x *Cluster) certificateNamed(ctx context.Context, namespace, name string) (none corev1.ObjectReference, err error) {
	certificate, err := x.cm.CertmanagerV1().Certificates(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("reading certificate %s/%s: %w", namespace, name, err)
	}
	return corev1.ObjectReference{APIVersion: cmv1.SchemeGroupVersion.String(), Kind: cmv1.CertificateKind, Namespace: namespace, Name: name, UID: certificate.UID}, nil
}
