package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/signpost-acme/signpost/test/world"
)

const (
	many     = 50               // certificates at once
	patience = 70 * time.Second // for many with the self-check: one round of its workers
)

// way is one way of getting certificates, and what it took.
type way struct {
	label  string
	issuer string
	domain func(i int) string
	count  int
	limit  time.Duration

	timelines []timeline
	took      time.Duration // until the last was Ready, or the limit
	present   time.Duration // of a call of Present, on average of so many that succeeded
	presents  int
}

// ready measures how long a certificate takes, through us and through others.
func ready(ctx context.Context, dir, bin string) (string, error) {
	starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w, err := world.Start(starting, world.Options{Dir: dir, Bin: bin, Replicas: 2})
	if err != nil {
		return "", err
	}
	defer w.Stop()
	knot, err := w.StartKnot(starting)
	if err != nil {
		return "", err
	}
	for _, o := range []world.IssuerOptions{{Name: "signpost"}, {Name: "signpost-check", SelfCheck: true}, {Name: "rfc2136-check", RFC2136: knot, SelfCheck: true}} {
		if err := w.CreateIssuer(ctx, o); err != nil {
			return "", err
		}
		if err := w.Condition(ctx, "cert-manager.io/v1", "ClusterIssuer", o.Name, "Ready"); err != nil {
			return "", err
		}
	}
	below := func(prefix, domain string) func(int) string {
		return func(i int) string { return fmt.Sprintf("%s-%d.%s", prefix, i, domain) }
	}
	ways := []*way{
		{label: "Signpost, `waitInsteadOfSelfCheck: 0s`", issuer: "signpost", domain: below("one", "example.com"), count: 1},
		{label: "Signpost, cert-manager's self-check", issuer: "signpost-check", domain: below("check", "example.com"), count: 1},
		{label: "RFC 2136 and Knot, cert-manager's self-check", issuer: "rfc2136-check", domain: below("one", world.DynamicZone), count: 1},
		{label: "Signpost, `waitInsteadOfSelfCheck: 0s`", issuer: "signpost", domain: below("many", "example.com"), count: many},
		{label: "RFC 2136 and Knot, cert-manager's self-check", issuer: "rfc2136-check", domain: below("many", world.DynamicZone), count: many, limit: patience},
	}
	if err := addCNAMEs(ctx, w, ways); err != nil {
		return "", err
	}
	before := w.Presenting()
	errs := make([]error, 3)
	if err := ways[0].run(ctx, w); err != nil {
		return "", err
	}
	if err := ways[3].run(ctx, w); err != nil {
		return "", err
	}
	after := w.Presenting()
	var rest strings.Builder
	calls := after.Calls - before.Calls
	fmt.Fprintf(&rest, "\nPresent itself, until both replicas answered, took %.1f ms on average of %d calls, and at most 10 ms in %d of them.\n",
		ms(after.Total-before.Total)/float64(max(calls, 1)), calls, after.Within10ms-before.Within10ms)
	mib, percent := (&server{Process: w.Replicas[0].Process}).resting(idleTime)
	fmt.Fprintf(&rest, "After that, and idle, a replica of `signpost serve` has %.0f MiB and takes %.2f %% of one processor.\n", mib, percent)
	var wg sync.WaitGroup
	for i, way := range ways[1:3] {
		wg.Go(func() { errs[i] = way.run(ctx, w) })
	}
	wg.Wait()
	errs[2] = ways[4].run(ctx, w)
	for _, err := range append(errs, w.Err()) {
		if err != nil {
			return "", err
		}
	}
	return readyReport(ways) + rest.String(), nil
}

// addCNAMEs does, once, what the domains' owners do for Signpost.
func addCNAMEs(ctx context.Context, w *world.World, ways []*way) error {
	var records []string
	for _, way := range ways {
		for i := range way.count {
			domain := way.domain(i)
			if strings.HasSuffix(domain, world.DynamicZone) {
				continue
			}
			target, err := world.Target(world.CertManagerNamespace, domain)
			if err != nil {
				return err
			}
			records = append(records, fmt.Sprintf("_acme-challenge.%s. CNAME %s.", domain, target))
		}
	}
	return w.Parent.Set(ctx, "example.com", "bench", strings.Join(records, "\n"))
}

func (y *way) namespace() string { return fmt.Sprintf("%s-%d", y.issuer, y.count) }

// run applies the way's Certificates, all at once, and waits for them.
func (y *way) run(ctx context.Context, w *world.World) error {
	namespace := y.namespace()
	if err := w.Namespace(ctx, namespace); err != nil {
		return err
	}
	limit := y.limit
	if limit == 0 {
		limit = 5 * time.Minute
	}
	watching, stop := context.WithTimeout(ctx, limit)
	defer stop()
	r, err := newRecorder(watching, w, namespace, y.count)
	if err != nil {
		return err
	}
	go w.CollectOrders(watching, namespace)
	before, begin := w.Presenting(), time.Now()
	for i := range y.count {
		name := fmt.Sprintf("bench-%d", i)
		r.applied(name, y.domain(i))
		if err := w.CreateCertificate(ctx, namespace, name, "ClusterIssuer", y.issuer, "*."+y.domain(i)); err != nil {
			return err
		}
	}
	r.wait()
	y.took = time.Since(begin)
	y.timelines = r.timelines()
	after := w.Presenting()
	y.presents = after.Calls - before.Calls
	y.present = (after.Total - before.Total) / time.Duration(max(y.presents, 1))
	fmt.Printf("%s, %d: %.1f s\n", y.label, y.count, y.took.Seconds())
	if y.limit == 0 && y.readyOnes() < y.count {
		return fmt.Errorf("only %d of %d certificates are Ready after %v\n%s", y.readyOnes(), y.count, limit, w.Explain(namespace))
	}
	return ctx.Err()
}

func (y *way) readyOnes() (n int) {
	for _, t := range y.timelines {
		if !t.ready.IsZero() {
			n++
		}
	}
	return n
}

func readyReport(ways []*way) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Certificates for a wildcard each, applied in the world of the end-to-end tests: a real control plane, cert-manager, Pebble
as CA, Unbound as resolver. Knot is a self-hosted nameserver that cert-manager updates by RFC 2136 with TSIG. The columns
are medians of where the seconds go: cert-manager makes key, order and challenge; the challenge is presented; self-check
and CA; the certificate is fetched and stored.

| way | certificates | all Ready s | to challenge s | to presented s | to valid s | to Ready s |
|---|---:|---:|---:|---:|---:|---:|
`)
	for _, y := range ways {
		count, took := fmt.Sprint(y.count), fmt.Sprintf("%.1f", y.took.Seconds())
		if n := y.readyOnes(); n < y.count {
			count, took = fmt.Sprintf("%d of %d", n, y.count), fmt.Sprintf("not after %.0f", y.took.Seconds())
		}
		fmt.Fprintf(&b, "| %s | %s | %s |", y.label, count, took)
		for _, d := range medians(y.timelines, steps) {
			if d < 0 { // events have whole seconds, and some come late
				b.WriteString(" not told apart |")
				continue
			}
			fmt.Fprintf(&b, " %.2f |", d.Seconds())
		}
		b.WriteString("\n")
	}
	one, slow := ways[0].took, ways[1].took
	fmt.Fprintf(&b, `
One certificate takes %.0f times as long with the self-check as without. The self-check itself is quick once the record is
there; then cert-manager sleeps for 60 s, whatever the solver. While it sleeps it occupies one of its 5 workers, so that 5
certificates become Ready a minute: %d would take %d minutes. They are not waited for here.
`, slow.Seconds()/one.Seconds(), many, many/5)
	return b.String()
}
