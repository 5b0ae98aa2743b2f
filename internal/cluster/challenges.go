package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Challenge is a DNS-01 Challenge that we solve.
type Challenge struct {
	Namespace string
	Name      string
	UID       types.UID
	Scope     string // of its target: see zone.Target
	Domain    string // without "*."
	Wildcard  bool
	Key       string // the TXT value; never to be logged or shown
	State     string // of the ACME challenge, as cert-manager saw it last
	Reason    string // cert-manager's, for people
	Presented bool   // cert-manager has had our Present succeed
	Ended     bool   // done, or being deleted: its value is not needed any more
	Since     time.Time

	order string // the Order that owns it
}

// Challenges returns those that have not ended.
func (x *Cluster) Challenges() (list []Challenge) {
	for _, o := range x.challenges.list() {
		if c, ok := x.challenge(o.(*acmev1.Challenge)); ok && !c.Ended {
			list = append(list, c)
		}
	}
	return list
}

// Find returns the Challenges for us with that domain and key, in all namespaces.
// If it knows none it asks the API server: the watch may be late.
func (x *Cluster) Find(ctx context.Context, domain, key string) (found []Challenge, err error) {
	add := func(o *acmev1.Challenge) {
		if c, ok := x.challenge(o); ok && c.Key == key && c.Domain == domain {
			found = append(found, c)
		}
	}
	for _, o := range x.challenges.list() {
		add(o.(*acmev1.Challenge))
	}
	if len(found) > 0 {
		return found, nil
	}
	list, err := x.cm.AcmeV1().Challenges("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Challenges: %w", err)
	}
	for i := range list.Items {
		add(&list.Items[i])
	}
	return found, nil
}

// challenge returns ok false for a Challenge that somebody else solves.
func (x *Cluster) challenge(c *acmev1.Challenge) (_ Challenge, ok bool) {
	if !x.config.solves(c.Spec.Solver) || c.Spec.Type != acmev1.ACMEChallengeTypeDNS01 {
		return Challenge{}, false
	}
	out := Challenge{
		Namespace: c.Namespace, Name: c.Name, UID: c.UID,
		Scope:  x.scope(c.Spec.IssuerRef.Kind, c.Namespace),
		Domain: c.Spec.DNSName, Wildcard: c.Spec.Wildcard, Key: c.Spec.Key,
		State: string(c.Status.State), Reason: c.Status.Reason, Presented: c.Status.Presented,
		Since: c.CreationTimestamp.Time,
	}
	switch c.Status.State {
	case acmev1.Valid, acmev1.Invalid, acmev1.Expired, acmev1.Errored:
		out.Ended = true
	}
	out.Ended = out.Ended || !c.DeletionTimestamp.IsZero()
	for _, owner := range c.OwnerReferences {
		if owner.Kind == "Order" {
			out.order = owner.Name
		}
	}
	return out, true
}

// Current reads a Challenge again, from the API server itself. One that is gone
// comes back as Ended.
func (x *Cluster) Current(ctx context.Context, c Challenge) (Challenge, error) {
	got, err := x.cm.AcmeV1().Challenges(c.Namespace).Get(ctx, c.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && got.UID != c.UID {
		c.Ended = true
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading challenge %s/%s: %w", c.Namespace, c.Name, err)
	}
	now, ok := x.challenge(got)
	now.Ended = now.Ended || !ok
	return now, nil
}

// nudged is the annotation whose change makes cert-manager try again at once.
const nudged = "signpost.dev/cname-seen"

// Nudge makes cert-manager try to present a Challenge at once, instead of after
// its back-off. Two replicas that do it at the same time nudge once.
func (x *Cluster) Nudge(ctx context.Context, c Challenge) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         c.UID, // not another of the same name
		"annotations": map[string]string{nudged: time.Now().UTC().Truncate(10 * time.Second).Format(time.RFC3339)},
	}})
	if err != nil {
		return err
	}
	_, err = x.cm.AcmeV1().Challenges(c.Namespace).Patch(ctx, c.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: x.config.Solver})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("annotating challenge %s/%s: %w", c.Namespace, c.Name, err)
	}
	return nil
}

// Tell makes an event with a message for people on the Challenge and on its
// Certificate. Saying the same again, by any replica, changes nothing. After an
// error there may be an event on the Challenge.
func (x *Cluster) Tell(ctx context.Context, c Challenge, reason, message string) error {
	about := []corev1.ObjectReference{{APIVersion: acmev1.SchemeGroupVersion.String(), Kind: "Challenge", Namespace: c.Namespace, Name: c.Name, UID: c.UID}}
	certificate, noCertificate := x.certificateOf(ctx, c)
	if certificate.Name != "" {
		about = append(about, certificate)
	}
	for _, object := range about {
		h := fnv.New64a()
		_, _ = h.Write([]byte(string(object.UID) + reason + message + string(c.UID)))
		now := metav1.Now()
		_, err := x.kube.CoreV1().Events(c.Namespace).Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("signpost.%x", h.Sum64()), Namespace: c.Namespace},
			InvolvedObject: object, Type: corev1.EventTypeWarning, Reason: reason, Message: message,
			Source: corev1.EventSource{Component: x.config.Solver}, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making an event in namespace %s: %w", c.Namespace, err)
		}
	}
	return noCertificate
}

// certificateOf finds the Certificate that a Challenge is for, by what
// cert-manager notes at the Order. The zero reference means that there is none.
func (x *Cluster) certificateOf(ctx context.Context, c Challenge) (none corev1.ObjectReference, err error) {
	if c.order == "" {
		return none, nil
	}
	order, err := x.cm.AcmeV1().Orders(c.Namespace).Get(ctx, c.order, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("reading order %s/%s: %w", c.Namespace, c.order, err)
	}
	name := order.Annotations[cmv1.CertificateNameKey]
	if name == "" { // somebody made the CertificateRequest by hand
		return none, nil
	}
	certificate, err := x.cm.CertmanagerV1().Certificates(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("reading certificate %s/%s: %w", c.Namespace, name, err)
	}
	return corev1.ObjectReference{APIVersion: cmv1.SchemeGroupVersion.String(), Kind: "Certificate", Namespace: certificate.Namespace, Name: certificate.Name, UID: certificate.UID}, nil
}
