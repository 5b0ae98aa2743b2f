package hidden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

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

	go w.CollectOrders(t.Context(), namespace)
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
	// cert-manager's lookup of the zone may fail first, as its resolver asks the one that is stopped too.
	poll.Until(t, 90*time.Second, "the Challenge says which secondary is missing", func() error {
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
	notDisturbed(t)
	must(t, gone.Run(t.Context()))
	begin = time.Now()
	must(t, ready(t.Context(), certificates+1))
	t.Logf("Ready %.1f s after %s is back", time.Since(begin).Seconds(), gone.Name)
}

// notDisturbed fails if the Challenge that waits is nudged while cert-manager is inside its
// next Present, for 20 s: it could not write the status after that.
func notDisturbed(t *testing.T) {
	t.Helper()
	failed := func() int { return strings.Count(w.CertManagerOutput(), "not all secondaries of the zone answer") }
	nudged := func() (times []string) {
		list, err := w.Challenges(t.Context(), namespace)
		must(t, err)
		for _, c := range list {
			times = append(times, c.Annotations["signpost.dev/cname-seen"])
		}
		return times
	}
	times, before := nudged(), failed()
	poll.True(t, time.Minute, "Present fails once more", func() bool { return failed() > before })
	if now := nudged(); !slices.Equal(now, times) {
		t.Errorf("nudged while it was presented: %q, before %q", now, times)
	}
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
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // cert-manager may hold itself up: see CollectOrders
	defer cancel()
	_, err := w.WaitReady(ctx, namespace, fmt.Sprintf("d%d", i))
	return err
}

// noneFailed fails unless there is an Order for each of so many certificates, and every
// Order became valid. One that was requested a second time has an Order more.
func noneFailed(t *testing.T, want int) {
	t.Helper()
	orders, err := w.NoneFailed(t.Context(), namespace)
	must(t, err)
	if orders < want {
		t.Errorf("%d Orders for %d certificates", orders, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
