package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

const (
	fleetSize   = 1000
	fleetDead   = 100 // of them, whose zone's servers are dead
	fleetSample = 100 // whose record appears
	fleetGood   = 7   // certificates whose record was there, one after the other, alone and beside the fleet
	fleetRest   = time.Minute

	// fleetQuiet is how long cert-manager takes until it retries each request only every
	// five minutes: 5 s, doubled six times.
	fleetQuiet  = 5*time.Minute + 30*time.Second
	fleetIssuer = "fleet"
)

// fleet measures what a thousand domains without their record cost the others,
// the API server, and themselves when the record appears.
func fleet(ctx context.Context, dir, bin string) (string, error) {
	starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w, err := world.Start(starting, world.Options{Dir: dir, Bin: bin, Replicas: 2})
	if err != nil {
		return "", err
	}
	defer w.Stop()
	if err := w.CreateIssuer(ctx, world.IssuerOptions{Name: fleetIssuer}); err != nil {
		return "", err
	}
	if err := w.Condition(ctx, "cert-manager.io/v1", "ClusterIssuer", fleetIssuer, "Ready"); err != nil {
		return "", err
	}
	alone, err := goodOnes(ctx, w, "alone")
	if err != nil {
		return "", err
	}
	if err := waitingOnes(ctx, w); err != nil {
		return "", err
	}
	storm, err := goodOnes(ctx, w, "storm")
	if err != nil {
		return "", err
	}
	if err := pause(ctx, fleetQuiet); err != nil {
		return "", err
	}
	beside, err := goodOnes(ctx, w, "beside")
	if err != nil {
		return "", err
	}
	rest, err := requestsAtRest(ctx, w)
	if err != nil {
		return "", err
	}
	mib, percent := (&server{Process: w.Replicas[0].Process}).resting(idleTime)
	challenges, err := w.Challenges(ctx, fleetIssuer)
	if err != nil {
		return "", err
	}
	appeared, err := recordsAppear(ctx, w)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d Certificates whose owner's record is missing, %d of them in zones whose servers are dead, in the world of the\n"+
		"end-to-end tests. They have no Order; %d Challenges exist for them.\n\n| what | value |\n|---|---:|\n", fleetSize, fleetDead, len(challenges))
	fmt.Fprintf(&b, "| a good certificate alone, apply to Ready (median of %d) | %.2f s |\n", fleetGood, percentile(alone, 50).Seconds())
	fmt.Fprintf(&b, "| the same beside the fleet | %.2f s |\n| ratio | %.2f |\n", percentile(beside, 50).Seconds(), percentile(beside, 50).Seconds()/percentile(alone, 50).Seconds())
	fmt.Fprintf(&b, "| the same just after the fleet was applied, while cert-manager retries all of it every few seconds | %.2f s |\n", percentile(storm, 50).Seconds())
	fmt.Fprintf(&b, "| a waiting one, from its record being served to Ready: median of %d | %.1f s |\n| 99 of 100 | %.1f s |\n",
		len(appeared), percentile(appeared, 50).Seconds(), percentile(appeared, 99).Seconds())
	fmt.Fprintf(&b, "| requests at the API server at rest, in all | %.1f /s |\n", rest)
	fmt.Fprintf(&b, "| memory of a replica; its CPU at rest | %.0f MiB; %.1f %% of one processor |\n", mib, percent)
	return b.String(), w.Err()
}

// goodOnes issues certificates whose record is there, one after the other.
func goodOnes(ctx context.Context, w *world.World, name string) (took []time.Duration, err error) {
	var records []string
	domain := func(i int) string { return fmt.Sprintf("%s-%d.example.com", name, i) }
	for i := range fleetGood {
		record, err := ownersRecord(domain(i))
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	if err := w.Parent.Set(ctx, "example.com", name, strings.Join(records, "\n")); err != nil {
		return nil, err
	}
	if err := w.Namespace(ctx, name); err != nil {
		return nil, err
	}
	for i := range fleetGood {
		// cert-manager's scheduler of Challenges works once a second: one that begins as the
		// one before is Ready would always come at the same moment of its second.
		if err := pause(ctx, rand.N(time.Second)); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := w.CreateCertificate(ctx, name, strconv.Itoa(i), "ClusterIssuer", fleetIssuer, "*."+domain(i)); err != nil {
			return nil, err
		}
		if err := waitReady(ctx, w, name, strconv.Itoa(i)); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	return took, nil
}

func ownersRecord(domain string) (string, error) {
	target, err := world.Target(world.CertManagerNamespace, domain)
	return fmt.Sprintf("_acme-challenge.%s. CNAME %s.", domain, target), err
}

func waitReady(ctx context.Context, w *world.World, namespace, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	_, err := w.WaitReady(ctx, namespace, name)
	return err
}

func fleetDomain(i int) string {
	if i < fleetDead {
		return fmt.Sprintf("dead-%d.example.com", i)
	}
	return fmt.Sprintf("waits-%d.example.com", i)
}

// waitingOnes applies the fleet, and returns when cert-manager has been denied an
// Order for each.
func waitingOnes(ctx context.Context, w *world.World) error {
	var dead []string
	for i := range fleetDead { // nobody has this address
		dead = append(dead, fmt.Sprintf("dead-%d.example.com. NS ns.dead-%d.example.com.\nns.dead-%d.example.com. A 192.0.2.240", i, i, i))
	}
	if err := w.Parent.Set(ctx, "example.com", "dead", strings.Join(dead, "\n")); err != nil {
		return err
	}
	if err := w.Namespace(ctx, fleetIssuer); err != nil {
		return err
	}
	for i := range fleetSize {
		if err := w.CreateCertificate(ctx, fleetIssuer, strconv.Itoa(i), "ClusterIssuer", fleetIssuer, "*."+fleetDomain(i)); err != nil {
			return err
		}
	}
	return poll.Try(ctx, 10*time.Minute, "the whole fleet is denied its Orders", func() error {
		list, err := w.CM.CertmanagerV1().CertificateRequests(fleetIssuer).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return err
		}
		n := 0
		for _, r := range list.Items {
			for _, c := range r.Status.Conditions {
				if strings.Contains(c.Message, "denied the request") {
					n++
				}
			}
		}
		if n < fleetSize {
			return fmt.Errorf("%d of %d are", n, fleetSize)
		}
		return nil
	})
}

// requestsAtRest returns how many requests a second the API server takes, but for
// our own two.
func requestsAtRest(ctx context.Context, w *world.World) (float64, error) {
	before, err := apiRequests(ctx, w)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := pause(ctx, fleetRest); err != nil {
		return 0, err
	}
	after, err := apiRequests(ctx, w)
	return (after - before - 1) / time.Since(begin).Seconds(), err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func apiRequests(ctx context.Context, w *world.World) (sum float64, err error) {
	text, err := w.Kube.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:len(line)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("%q: %w", line, err)
		}
		sum += n
	}
	return sum, nil
}

// recordsAppear adds the records of a sample, a few at a time, and measures how
// long each takes from then to Ready.
func recordsAppear(ctx context.Context, w *world.World) (took []time.Duration, err error) {
	const together = 5
	errs := make([]error, fleetSample)
	took = make([]time.Duration, fleetSample)
	var wg sync.WaitGroup
	for first := 0; first < fleetSample; first += together {
		var records []string
		for i := first; i < first+together; i++ {
			record, err := ownersRecord(fleetDomain(fleetDead + i))
			if err != nil {
				return nil, err
			}
			records = append(records, record)
		}
		if err := w.Parent.Set(ctx, "example.com", fmt.Sprint("appeared-", first), strings.Join(records, "\n")); err != nil {
			return nil, err
		}
		begin := time.Now()
		for i := first; i < first+together; i++ {
			wg.Go(func() {
				errs[i] = waitReady(ctx, w, fleetIssuer, strconv.Itoa(fleetDead+i))
				took[i] = time.Since(begin)
			})
		}
		time.Sleep(2 * time.Second) // owners do not come all at once
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return took, nil
}

func percentile(list []time.Duration, percent int) time.Duration {
	list = slices.Sorted(slices.Values(list))
	return list[max(0, (len(list)*percent+99)/100-1)] // the nearest rank
}
