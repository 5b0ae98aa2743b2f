package hidden

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"github.com/miekg/dns"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

const (
	certificates = 200
	atOnce       = 20
	namespace    = "hidden"
)

func domain(i int) string { return fmt.Sprintf("d%d.example.com", i) }

// Certificates for 200 wildcards, through NSD and Knot: what the CA asks for is there
// each time. Then one of them is stopped.
func TestHiddenPrimary(t *testing.T) {
	delegatedToSecondaries(t)
	must(t, setCNAMEs(t.Context(), certificates+1))
	must(t, w.Namespace(t.Context(), namespace))
	must(t, w.CreateIssuer(t.Context(), world.IssuerOptions{Name: "hidden"}))
	must(t, w.Condition(t.Context(), "cert-manager.io/v1", "ClusterIssuer", "hidden", "Ready"))

	go collect(t.Context())
	begin := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= certificates && !t.Failed(); i = int(next.Add(1)) {
				if err := issue(t.Context(), i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d certificates in %.1f s, %d at a time", certificates, time.Since(begin).Seconds(), atOnce)
	noneFailed(t, certificates)
	stopped(t)
	noneFailed(t, certificates+1)
}

// stopped has a certificate wait for a secondary that is stopped, until it is back.
func stopped(t *testing.T) {
	t.Helper()
	gone := w.Secondaries[1]
	gone.Stop()
	must(t, create(t.Context(), certificates+1))
	begin := time.Now()
	poll.Until(t, 3*time.Minute, "the Challenge says which secondary is missing", func() error {
		list, err := w.Challenges(t.Context(), namespace)
		if err != nil {
			return err
		}
		for _, c := range list {
			if strings.Contains(c.Status.Reason, fmt.Sprintf("%s (%s", gone.Name, gone.Address)) && !c.Status.Presented {
				if strings.Contains(c.Status.Reason, w.Secondaries[0].Name) {
					t.Errorf("the one that runs is named too: %s", c.Status.Reason)
				}
				return nil
			}
			err = errors.Join(err, fmt.Errorf("%s: presented: %v, reason %q", c.Spec.DNSName, c.Status.Presented, c.Status.Reason))
		}
		return errors.Join(err, fmt.Errorf("%d Challenges", len(list)))
	})
	t.Logf("the reason is there after %.1f s", time.Since(begin).Seconds())
	must(t, gone.Run(t.Context()))
	begin = time.Now()
	must(t, ready(t.Context(), certificates+1))
	t.Logf("Ready %.1f s after %s is back", time.Since(begin).Seconds(), gone.Name)
}

// delegatedToSecondaries fails unless a resolver that comes from the root finds the
// secondaries alone.
func delegatedToSecondaries(t *testing.T) {
	t.Helper()
	m, err := dns.Exchange(new(dns.Msg).SetQuestion(world.Zone+".", dns.TypeNS), world.ResolverAddress+":53")
	must(t, err)
	found := map[string]bool{}
	for _, rr := range m.Answer {
		if ns, ok := rr.(*dns.NS); ok {
			found[strings.TrimSuffix(ns.Ns, ".")] = true
		}
	}
	if len(found) != 2 || !found[w.Secondaries[0].Name] || !found[w.Secondaries[1].Name] {
		t.Fatalf("the nameservers of %s are %v", world.Zone, found)
	}
}

// setCNAMEs sets the records of the domains, all at once.
func setCNAMEs(ctx context.Context, count int) error {
	var records strings.Builder
	for i := 1; i <= count; i++ {
		target, err := world.Target(world.CertManagerNamespace, domain(i))
		if err != nil {
			return err
		}
		fmt.Fprintf(&records, "_acme-challenge.%s. CNAME %s.\n", domain(i), target)
	}
	return w.Parent.Set(ctx, "example.com", "hidden", records.String())
}

func issue(ctx context.Context, i int) error {
	if err := create(ctx, i); err != nil {
		return err
	}
	return ready(ctx, i)
}

func create(ctx context.Context, i int) error {
	return w.CreateCertificate(ctx, namespace, fmt.Sprintf("d%d", i), "ClusterIssuer", "hidden", "*."+domain(i))
}

func ready(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // cert-manager may hold itself up: see collect
	defer cancel()
	_, err := w.WaitReady(ctx, namespace, fmt.Sprintf("d%d", i))
	return err
}

// collect does what Kubernetes' garbage collector does, which does not run here: it deletes
// the Orders of requests that are gone. On a busy machine cert-manager now and then makes
// a request again, from an old copy of its own objects, and waits until the Order of the
// one before is gone ("found Order resource not owned by this CertificateRequest").
func collect(ctx context.Context) {
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

// noneFailed fails unless there is an Order for each of so many certificates, and every
// Order became valid: one whose Challenge fails at the CA becomes invalid and stays. One
// that was requested a second time has an Order more.
func noneFailed(t *testing.T, want int) {
	t.Helper()
	list, err := w.CM.AcmeV1().Orders(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	if len(list.Items) < want {
		t.Errorf("%d Orders for %d certificates", len(list.Items), want)
	}
	for _, o := range list.Items {
		if o.Status.State != acmev1.Valid {
			t.Errorf("order %s of %v is %s: %s", o.Name, o.Spec.DNSNames, o.Status.State, o.Status.Reason)
		}
	}
	if invalid := strings.Count(w.CA.Output(), "set INVALID"); invalid > 0 {
		t.Errorf("the CA calls %d authorizations invalid", invalid)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
