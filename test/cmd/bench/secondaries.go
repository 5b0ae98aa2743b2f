package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/signpost-acme/signpost/test/world"
)

const (
	secondaryNames   = 10_000 // in the zone
	secondaryChanges = 200
	slowChanges      = 60 // where each takes a second

	throughSecondaries = 1000 // certificates
)

// throughKinds are the secondaries of the certificates: two that are quick.
var throughKinds = []string{"nsd", "knot"}

// secondaries measures what answering by secondaries costs: how long a change takes
// through each of those that have recipes, and certificates end to end.
func secondaries(ctx context.Context, dir, bin string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `A real Redis, one `+"`signpost dns`"+` with %d names, and one nameserver set up by its recipe in [secondaries](secondaries.md),
all on loopback. "Visible" is the time from the beginning of a change until it answers with the value over UDP and TCP (the
replica: UDP), asked every millisecond; Present is that of the solver, which asks the replica as well. One change after another.

| who answers | version | changes | visible p50 ms | p99 ms | Present p50 ms | p99 ms |
|---|---|---:|---:|---:|---:|---:|
`, secondaryNames)
	for i, f := range follows {
		if err := f.measure(ctx, filepath.Join(dir, fmt.Sprint(i)), bin); err != nil {
			return "", fmt.Errorf("%s: %w", f.label, err)
		}
		fmt.Printf("%s is done\n", f.label)
		fmt.Fprintf(&b, "| %s | %s | %d | %.1f | %.1f | %.1f | %.1f |\n", f.label, f.version, f.changes,
			ms(percentile(f.visible, 50)), ms(percentile(f.visible, 99)), ms(percentile(f.present, 50)), ms(percentile(f.present, 99)))
	}
	through, err := issuedThrough(ctx, filepath.Join(dir, "issued"), bin)
	return b.String() + through, err
}

// issuedThrough has certificates issued for which the CA reaches nothing but secondaries.
func issuedThrough(ctx context.Context, dir, bin string) (string, error) {
	flags := settings[len(settings)-1].flags
	y := &way{label: "through NSD and Knot", issuer: "through", count: throughSecondaries, limit: reissueLimit, domain: func(i int) string { return fmt.Sprintf("through-%d.example.com", i) }}
	w, err := issuingWorld(ctx, y, world.Options{Dir: dir, Bin: bin, Replicas: 2, Secondaries: throughKinds, CertManagerFlags: flags}, world.IssuerOptions{Name: y.issuer})
	if err != nil {
		return "", err
	}
	defer w.Stop()
	if err := y.run(ctx, w); err != nil {
		return "", err
	}
	if n := y.readyOnes(); n < y.count {
		return "", fmt.Errorf("only %d are Ready after %.0f s\n%s", n, y.took.Seconds(), w.Explain(y.namespace()))
	}
	orders, err := w.NoneFailed(ctx, y.namespace())
	if err != nil {
		return "", err
	}
	if orders < y.count {
		return "", fmt.Errorf("%d Orders for %d certificates", orders, y.count)
	}
	return fmt.Sprintf(`
### A thousand certificates, none too early

%d Certificates for a wildcard each, applied at once in the world of the end-to-end tests: the zone is delegated to NSD and Knot
alone, and two replicas of Signpost are hidden primaries. cert-manager has the flags
%s.

All are Ready after %.0f s. Of %d orders none failed at the CA, which called no authorization invalid. Present, until both replicas
and both secondaries answered, took %.0f ms on average of %d calls.
`, y.count, "`"+strings.Join(flags, " ")+"`", y.took.Seconds(), orders, ms(y.present), y.presents), w.Err()
}
