package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/check"
)

const (
	domainsAtOnce = 16 // how many are checked at the same time
	manyDomains   = 20 // from here on progress is shown, each time so many are done
)

func newCheckCommand(args []string) *cobra.Command {
	c := &client{outputs: []string{"table", "json"}, needsZone: true, withDomains: true}
	var (
		resolvers, ca []string
		port          uint16
	)
	validate := func(domains []string) []string {
		return append(c.validate(domains), checkResolvers(resolvers)...)
	}
	cmd := &cobra.Command{
		Use:   "check [domain…]",
		Short: "Look whether the DNS is as it must be",
		Long: `Look whether the DNS is as it must be: the delegation of the zone, Signpost's
DNS servers as the world sees them, and the CNAME of each domain. What is wrong
comes with what to do about it. Without --nameserver, those that the parent zone
names are asked. Every flag can also be given as an environment variable: --zone
as SIGNPOST_ZONE, and so on; a flag wins over its variable.

Exit code: 0 all is well, 1 something is not or cannot be told, 2 wrong usage.`,
		Example: "  signpost check --zone acme.example.com --nameserver ns.example.com example.com '*.example.org'",
		RunE: func(cmd *cobra.Command, domains []string) error {
			if mistakes := validate(domains); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			c.checker.Resolvers, c.checker.Port = resolvers, port
			results := checkAll(cmd.Context(), c, ca, cmd.ErrOrStderr())
			if cmd.Context().Err() != nil {
				return errors.New("interrupted before all checks were done")
			}
			return report(cmd.OutOrStdout(), c.output, results)
		},
	}
	fs := cmd.Flags()
	c.addFlags(fs)
	addResolverFlag(fs, &resolvers)
	fs.StringArrayVar(&ca, "ca", nil, "CA that must be allowed to issue by the domains' CAA records, by the name that it has there, for example letsencrypt.org; repeat for more (default: CAA is not checked)")
	fs.Uint16Var(&port, "authoritative-port", 0, "port of authoritative servers, for tests")
	_ = fs.MarkHidden("authoritative-port")
	reportAll(cmd, args, func() []string { return validate(nil) })
	return cmd
}

// checkAll checks the delegation and all domains, and says on progress how far
// it is if they are many.
func checkAll(ctx context.Context, c *client, ca []string, progress io.Writer) []check.Result {
	results := make([][]check.Result, len(c.domains))
	var (
		wg         sync.WaitGroup
		mu         sync.Mutex
		done       int
		delegation []check.Result
	)
	wg.Go(func() { delegation = c.checker.Delegation(ctx) })
	slots := make(chan struct{}, domainsAtOnce)
	for i, domain := range c.domains {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			results[i] = c.checker.Domain(ctx, c.namespace, domain, ca)
			mu.Lock()
			defer mu.Unlock()
			if done++; len(c.domains) > manyDomains && (done%manyDomains == 0 || done == len(c.domains)) {
				fmt.Fprintf(progress, "checked %d of %d domains\n", done, len(c.domains))
			}
		})
	}
	wg.Wait()
	seen := map[check.Result]bool{}
	var out []check.Result
	for _, list := range append([][]check.Result{delegation}, results...) {
		for _, r := range list {
			if !seen[r] { // a name and its wildcard have most in common
				out = append(out, r)
			}
			seen[r] = true
		}
	}
	return out
}

// report writes the results. The error counts those that are not well.
func report(w io.Writer, output string, results []check.Result) error {
	count := map[check.Status]int{}
	for _, r := range results {
		count[r.Status]++
	}
	well := count[check.Failed]+count[check.Unknown] == 0
	if output == "json" {
		if err := writeJSON(w, struct {
			OK      bool           `json:"ok"`
			Results []check.Result `json:"results"`
		}{well, results}); err != nil {
			return err
		}
	} else {
		writeResults(w, results)
	}
	switch {
	case well:
		return nil
	case count[check.Unknown] == 0:
		return fmt.Errorf("%d of %d checks failed", count[check.Failed], len(results))
	}
	return fmt.Errorf("of %d checks, %d failed, and %d could not be made", len(results), count[check.Failed], count[check.Unknown])
}

// writeResults writes one line for what is well, and all there is to say for
// what is not.
func writeResults(w io.Writer, results []check.Result) {
	width := 0
	for _, r := range results {
		width = max(width, len(r.Subject))
	}
	for _, r := range results {
		if r.Status == check.OK {
			fmt.Fprintf(w, "%-8s %-*s  %s\n", r.Status, width, r.Subject, r.Seen)
			continue
		}
		fmt.Fprintf(w, "%-8s %-*s  %s\n", r.Status, width, r.Subject, r.Check)
		fmt.Fprintf(w, "           wanted: %s\n           seen:   %s\n           hint:   %s\n", r.Wanted, r.Seen, r.Hint)
	}
}
