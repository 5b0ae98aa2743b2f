package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Challenge is a DNS-01 Challenge that we solve.
type Challenge struct {
	Namespace  string
	Name       string
	UID        types.UID
	Scope      string // of its target: see zone.Target
	Domain     string // without "*."
	Wildcard   bool
	Key        string // the TXT value; never to be logged or shown
	State      string // of the ACME challenge, as cert-manager saw it last
	Reason     string // cert-manager's, for people
	Presented  bool   // cert-manager has had our Present succeed
	Processing bool   // cert-manager works on it
	Ended      bool   // done, or being deleted: its value is not needed any more
	Since      time.Time

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

// OnChallenge has every Challenge of ours told to somebody, when it is created, has
// changed, or, with gone, was deleted. told must be quick. It is called before Run.
func (x *Cluster) OnChallenge(told func(c Challenge, gone bool)) error {
	if x.challenges.informer == nil {
		return nil
	}
	tell := func(o any, gone bool) {
		if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = last.Obj
		}
		c, ok := o.(*acmev1.Challenge)
		if !ok {
			return
		}
		if ours, ok := x.challenge(c); ok {
			told(ours, gone)
		}
	}
	_, err := x.challenges.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { tell(o, false) }, UpdateFunc: func(_, o any) { tell(o, false) }, DeleteFunc: func(o any) { tell(o, true) },
	})
	return err
}

// WaitingChallenges returns how many hold a place in cert-manager's queue without
// having been presented.
func (x *Cluster) WaitingChallenges() (n int) {
	for _, c := range x.Challenges() {
		if c.Processing && !c.Presented && c.Reason != "" {
			n++
		}
	}
	return n
}

// ProcessingChallenges returns how many places in cert-manager's queue are taken, by
// Challenges of whatever solver.
func (x *Cluster) ProcessingChallenges() (n int) {
	for _, o := range x.challenges.list() {
		if o.(*acmev1.Challenge).Status.Processing {
			n++
		}
	}
	return n
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

// FollowsChallenges reports whether Challenges has read everything.
func (x *Cluster) FollowsChallenges() bool { return x.challenges.synced() }

// challenge returns ok false for a Challenge that somebody else solves.
func (x *Cluster) challenge(c *acmev1.Challenge) (_ Challenge, ok bool) {
	if !x.config.solves(c.Spec.Solver) || c.Spec.Type != acmev1.ACMEChallengeTypeDNS01 {
		return Challenge{}, false
	}
	out := Challenge{
		Namespace: c.Namespace, Name: c.Name, UID: c.UID,
		Scope:  x.scope(c.Spec.IssuerRef.Kind, c.Namespace),
		Domain: c.Spec.DNSName, Wildcard: c.Spec.Wildcard, Key: c.Spec.Key,
		State: string(c.Status.State), Reason: c.Status.Reason, Presented: c.Status.Presented, Processing: c.Status.Processing,
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

// nudged is the annotation whose change makes cert-manager retry at once. Its value
// is the time of the nudge.
const nudged = "signpost.dev/cname-seen"

// Nudge makes cert-manager retry a Challenge at once, instead of after
// its back-off.
func (x *Cluster) Nudge(ctx context.Context, c Challenge) error {
	patch, err := nudgePatch(c.UID)
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
	about := corev1.ObjectReference{APIVersion: acmev1.SchemeGroupVersion.String(), Kind: "Challenge", Namespace: c.Namespace, Name: c.Name, UID: c.UID}
	if err := x.event(ctx, about, c.UID, reason, message); err != nil {
		return err
	}
	order, err := x.orderOf(ctx, c)
	if err != nil || order == nil || order.Annotations[cmv1.CertificateNameKey] == "" { // somebody made the CertificateRequest by hand
		return err
	}
	certificate, err := x.certificateNamed(ctx, c.Namespace, order.Annotations[cmv1.CertificateNameKey])
	if err != nil || certificate.Name == "" {
		return err
	}
	return x.event(ctx, certificate, c.UID, reason, message)
}

// orderOf returns the Order that a Challenge is for, nil if it does not exist.
func (x *Cluster) orderOf(ctx context.Context, c Challenge) (*acmev1.Order, error) {
	if c.order == "" {
		return nil, nil
	}
	order, err := x.cm.AcmeV1().Orders(c.Namespace).Get(ctx, c.order, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading order %s/%s: %w", c.Namespace, c.order, err)
	}
	return order, nil
}

// EndOrder deletes the Order of a Challenge that cannot succeed, so that it gives
// its place in cert-manager's queue back: cert-manager makes another for the same
// request, which waits at the gate. An Order that no request controls stays, for
// nothing would make it again, and so does one that the gate would not deny. It
// reports whether there was one to delete.
func (x *Cluster) EndOrder(ctx context.Context, c Challenge) (ended bool, err error) {
	order, err := x.orderOf(ctx, c)
	if err != nil || order == nil || order.DeletionTimestamp != nil {
		return false, err
	}
	if owner := metav1.GetControllerOf(order); owner == nil || owner.Kind != cmv1.CertificateRequestKind && owner.Kind != "CertificateSigningRequest" {
		return false, nil
	}
	decided := func(t zone.Target) bool { return t.Domain == c.Domain }
	if w := x.Order(order); w.Refused == "" && !slices.ContainsFunc(w.Targets, decided) {
		return false, nil // the gate would let the next one through as well
	}
	err = x.cm.AcmeV1().Orders(order.Namespace).Delete(ctx, order.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &order.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("deleting order %s/%s: %w", order.Namespace, order.Name, err)
	}
	return true, nil
}

// Holder returns the Challenge, as namespace/name, that keeps cert-manager from
// working on c: it works on one per DNS name and type at a time. Empty for none.
func (x *Cluster) Holder(c Challenge) string {
	if c.Processing || x.challenges.informer == nil {
		return ""
	}
	others, err := x.challenges.informer.GetIndexer().ByIndex(byProcessing, fold(c.Domain))
	if err != nil { // there is no such index
		return ""
	}
	for _, o := range others {
		if other := o.(*acmev1.Challenge); other.UID != c.UID {
			return other.Namespace + "/" + other.Name
		}
	}
	return ""
}

// byProcessing is the index of the DNS-01 Challenges that cert-manager works on, by DNS
// name. There may be thousands that wait for one of them.
const byProcessing = "processing"

func processing(o any) ([]string, error) {
	c, ok := o.(*acmev1.Challenge)
	if !ok || !c.Status.Processing || c.Spec.Type != acmev1.ACMEChallengeTypeDNS01 {
		return nil, nil
	}
	return []string{fold(c.Spec.DNSName)}, nil
}
