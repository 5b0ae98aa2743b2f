package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/signpost-acme/signpost/test/world"
)

const (
	reissued       = 1000 // certificates at once
	reissuedChecks = 10   // with cert-manager's self-check
	reissueLimit   = 15 * time.Minute
)

// settings are what cert-manager's controllers can be given for many certificates:
// docs/scale.md says what each does.
var settings = []struct {
	label string
	flags []string
}{
	{"as installed", nil},
	{"`--max-concurrent-challenges=300`", []string{"--max-concurrent-challenges=300"}},
	{"and `--concurrent-workers=20`", []string{"--max-concurrent-challenges=300", "--concurrent-workers=20"}},
}

// reissue measures how long it takes until a thousand certificates that were asked for
// at once are there, as after a revocation.
func reissue(ctx context.Context, dir, bin string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `%d Certificates for a wildcard each are applied at once, as after a revocation, in the world of the end-to-end tests: two
replicas of Signpost, one cert-manager, one CA, all on this machine. The columns are medians of where the seconds go: until
there is a Challenge, until it is valid, until the certificate is stored; then the average of Present, and all requests at the API server.

| cert-manager | all Ready s | to challenge s | to valid s | to Ready s | Present ms | API requests each |
|---|---:|---:|---:|---:|---:|---:|
`, reissued)
	for i, s := range settings {
		row, err := reissueWith(ctx, filepath.Join(dir, fmt.Sprint(i)), bin, s.flags)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.label, err)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", s.label, row)
	}
	took, err := selfChecked(ctx, filepath.Join(dir, "check"), bin)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, `
With cert-manager's self-check, as installed, %d certificates took %.0f s. Its 5 workers sleep for a minute each; %d were not
tried, and would take %.1f hours at that rate.
`, reissuedChecks, took.Seconds(), reissued, took.Hours()*reissued/reissuedChecks)
	return b.String(), nil
}

// reissueWith returns the cells of a row.
func reissueWith(ctx context.Context, dir, bin string, flags []string) (string, error) {
	y := &way{label: strings.Join(flags, " "), issuer: "signpost", count: reissued, limit: reissueLimit, domain: func(i int) string { return fmt.Sprintf("again-%d.example.com", i) }}
	w, err := issuingWorld(ctx, y, world.Options{Dir: dir, Bin: bin, Replicas: 2, CertManagerFlags: flags}, world.IssuerOptions{Name: y.issuer})
	if err != nil {
		return "", err
	}
	defer w.Stop()
	asked, err := apiRequests(ctx, w)
	if err != nil {
		return "", err
	}
	if err := y.run(ctx, w); err != nil {
		return "", err
	}
	all, err := apiRequests(ctx, w)
	if err != nil {
		return "", err
	}
	cells := fmt.Sprintf("%.0f", y.took.Seconds())
	if n := y.readyOnes(); n < reissued {
		cells = fmt.Sprintf("%d after %.0f", n, y.took.Seconds())
	}
	for _, d := range medians(y.timelines, stepsSeen) {
		cells += fmt.Sprintf(" | %.1f", d.Seconds())
	}
	return cells + fmt.Sprintf(" | %.1f | %.0f", ms(y.present), (all-asked)/reissued), w.Err()
}

// selfChecked returns how long a few certificates take with cert-manager's self-check.
func selfChecked(ctx context.Context, dir, bin string) (time.Duration, error) {
	y := &way{label: "self-check", issuer: "check", count: reissuedChecks, limit: reissueLimit, domain: func(i int) string { return fmt.Sprintf("check-%d.example.com", i) }}
	w, err := issuingWorld(ctx, y, world.Options{Dir: dir, Bin: bin, Replicas: 2}, world.IssuerOptions{Name: y.issuer, SelfCheck: true})
	if err != nil {
		return 0, err
	}
	defer w.Stop()
	err = y.run(ctx, w)
	if n := y.readyOnes(); err == nil && n < y.count {
		err = fmt.Errorf("only %d are Ready", n)
	}
	return y.took, err
}

// issuingWorld starts a world of its own in a new folder, with the records of a way.
func issuingWorld(ctx context.Context, y *way, o world.Options, issuer world.IssuerOptions) (*world.World, error) {
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w, err := world.Start(starting, o)
	if err != nil {
		return nil, err
	}
	if err = w.CreateIssuer(ctx, issuer); err == nil {
		err = w.Condition(ctx, "cert-manager.io/v1", "ClusterIssuer", issuer.Name, "Ready")
	}
	if err == nil {
		err = addCNAMEs(ctx, w, []*way{y})
	}
	if err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}
