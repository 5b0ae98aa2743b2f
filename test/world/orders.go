package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cert-manager/cert-manager/pkg/acme"
	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/poll"
)

// CollectOrders does, until ctx is done, what Kubernetes' garbage collector does, which does
// not run here: it deletes the Orders in a namespace whose requests are gone. On a busy
// machine cert-manager now and then makes a request again, from an old copy of its own
// objects, and waits until the Order of the one before is gone ("found Order resource not
// owned by this CertificateRequest").
func (w *World) CollectOrders(ctx context.Context, namespace string) {
	for ctx.Err() == nil {
		requests, errRequests := w.CM.CertmanagerV1().CertificateRequests(namespace).List(ctx, metav1.ListOptions{})
		orders, err := w.CM.AcmeV1().Orders(namespace).List(ctx, metav1.ListOptions{})
		if err == nil && errRequests == nil {
			lives := map[types.UID]bool{}
			for _, r := range requests.Items {
				lives[r.UID] = true
			}
			for _, o := range orders.Items {
				if owner := metav1.GetControllerOf(&o); owner != nil && !lives[owner.UID] && time.Since(o.CreationTimestamp.Time) > 2*time.Second { // the lists are not of one moment
					_ = w.CM.AcmeV1().Orders(namespace).Delete(ctx, o.Name, metav1.DeleteOptions{})
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// NoneFailed waits until every Order in a namespace has ended, and returns how many there
// are, with an error unless each became valid: one whose Challenge fails at the CA becomes
// invalid and stays. It is also one if the CA has called an authorization invalid, of
// whatever namespace.
func (w *World) NoneFailed(ctx context.Context, namespace string) (orders int, err error) {
	var failed []string
	err = poll.Try(ctx, 2*time.Minute, "every Order has ended", func() error {
		list, err := w.CM.AcmeV1().Orders(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		orders, failed = len(list.Items), nil
		waiting := 0
		for _, o := range list.Items {
			switch {
			case acme.IsFailureState(o.Status.State):
				failed = append(failed, fmt.Sprintf("order %s of %v is %s: %s", o.Name, o.Spec.DNSNames, o.Status.State, o.Status.Reason))
			case o.Status.State != acmev1.Valid:
				waiting++
			}
		}
		if waiting > 0 {
			return fmt.Errorf("%d of %d have not", waiting, orders)
		}
		return nil
	})
	if invalid := strings.Count(w.CA.Output(), "set INVALID"); len(failed) > 0 || invalid > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d Orders failed, and the CA calls %d authorizations invalid\n%s", len(failed), orders, invalid, strings.Join(failed, "\n")))
	}
	return orders, err
}
