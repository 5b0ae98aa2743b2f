package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/schedule"
	"github.com/signpost-acme/signpost/internal/server"
	"github.com/signpost-acme/signpost/internal/zone"
)

// manyDomains is from how many on progress is shown, each time so many are done.
const manyDomains = 20

// domainsAtOnce is how many are checked at the same time, beside those whose servers do
// not answer.
var domainsAtOnce = schedule.Limits{Urgent: 16, Regular: 1, Slow: 64}

// What the flags are for of the commands that look at the DNS.
const (
	privateAddressesHelp = "let nameservers have addresses that the Internet cannot reach, for a CA of your own that reaches them"
	resolverOnlyHelp     = "ask the resolver for the domains' records, and not the domains' own DNS servers, where those cannot be reached: what it remembers may be old"
)

func newCheckCommand() *cobra.Command {
	d := &domains{outputs: []string{"table", "json"}, needsZone: true, withDomains: true}
	var (
		resolvers    []string
		ca           check.CA
		port         uint16
		private      bool
		resolverOnly bool
		primaries    []string
		persist      persistFlags
	)
	cmd := &cobra.Command{
		Use:   "check [domain…]",
		Short: "Check the DNS: delegation, DNS servers, and the CNAME of each domain",
		Long: `Check the DNS: the delegation of the zone, Signpost's DNS servers as the Internet
sees them, and the CNAME of each domain. Each problem comes with what to do about
it. Without --nameserver or --secondary, those that the parent zone
names are asked. Every flag can also be given as an environment variable: --zone
as SIGNPOST_ZONE, and so on; a flag wins over its variable.

Exit code: 0 no check failed, 1 one failed or could not be made, 2 wrong usage.`,
		Example: "  signpost check --zone acme.example.com --nameserver ns.example.com example.com '*.example.org'",
		RunE: func(cmd *cobra.Command, list []string) error {
			mistakes := append(d.validate(list), server.CheckResolvers(resolvers)...)
			if ca.AccountURI != "" {
				if err := zone.CheckAccountURI(ca.AccountURI); err != nil {
					mistakes = append(mistakes, "--account-uri: "+err.Error())
				}
				if len(ca.Identities) == 0 {
					mistakes = append(mistakes, "--account-uri: needs --ca, the CA that the account is at")
				}
			}
			mistakes = append(mistakes, persist.validate(time.Time{})...) // one that has ended is a finding
			if persist.on && (len(ca.Identities) != 1 || ca.AccountURI == "") {
				mistakes = append(mistakes, "--persist: needs --ca, once, and --account-uri")
			}
			servers, wrong := parsePrimaries(primaries, d)
			if mistakes = append(mistakes, wrong...); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			checker := &check.Checker{Zone: d.zone, Nameservers: d.ns, Secondaries: d.copies, Primaries: servers, Resolvers: resolvers, Port: port, PrivateAddresses: private, ResolverOnly: resolverOnly}
			findings := checkAll(cmd.Context(), checker, d, ca, cmd.ErrOrStderr())
			if persist.on {
				findings = append(findings, checkPersist(cmd.Context(), checker, d, ca, persist)...)
			}
			if cmd.Context().Err() != nil {
				return errors.New("interrupted before all checks were done")
			}
			if len(d.copies) > 0 && len(servers) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "note: whether Signpost has a newer version than all secondaries is not known; --primary with an address of Signpost's DNS server asks it")
			}
			return report(cmd.OutOrStdout(), d.output, findings)
		},
	}
	fs := cmd.Flags()
	d.addFlags(fs)
	fs.StringArrayVar(&primaries, "primary", nil, "address of Signpost's own DNS server, as address or address:port, with whose version that of each --secondary is compared; repeat for more (default: secondaries are compared with each other)")
	server.AddResolverFlag(fs, &resolvers)
	fs.StringArrayVar(&ca.Identities, "ca", nil, "CA that must be allowed to issue by the domains' CAA records, by the name that it has there, for example letsencrypt.org; repeat for more (default: CAA is not checked)")
	fs.StringVar(&ca.AccountURI, "account-uri", "", "ACME account that CAA records must let the CA issue to, as in the Issuer's status.acme.uri (default: a record that names an account is a warning)")
	persist.addFlags(fs, "check also the TXT record of dns-persist-01, a preview of a draft that nothing here depends on; for *.domain with policy=wildcard; needs --ca and --account-uri")
	fs.BoolVar(&private, "private-addresses", false, privateAddressesHelp)
	fs.BoolVar(&resolverOnly, "resolver-only", false, resolverOnlyHelp)
	fs.Uint16Var(&port, "authoritative-port", 0, "port of authoritative servers, for tests")
	_ = fs.MarkHidden("authoritative-port")
	return cmd
}

// parsePrimaries parses --primary, and returns every mistake.
func parsePrimaries(list []string, d *domains) (out []netip.AddrPort, mistakes []string) {
	for _, text := range list {
		at, err := zone.ParseServer(text)
		if err != nil {
			mistakes = append(mistakes, "--primary: "+err.Error())
		}
		out = append(out, at)
	}
	if len(list) > 0 && len(d.secondaries) == 0 {
		mistakes = append(mistakes, "--primary: needs --secondary, the servers that are compared with it")
	}
	return out, mistakes
}

// checkAll checks the delegation and all domains. It reports progress when there
// are more than manyDomains.
func checkAll(ctx context.Context, checker *check.Checker, d *domains, ca check.CA, progress io.Writer) []check.Finding {
	findings := make([][]check.Finding, 1+len(d.names)) // the delegation's, then those of each domain
	var (
		mu   sync.Mutex
		done int
	)
	schedule.Each(ctx, len(findings), domainsAtOnce, func(ctx context.Context, i int) {
		if i == 0 {
			findings[0] = checker.Delegation(ctx)
			return
		}
		findings[i] = checker.Domain(ctx, d.scope, d.names[i-1], ca)
		mu.Lock()
		defer mu.Unlock()
		if done++; len(d.names) > manyDomains && (done%manyDomains == 0 || done == len(d.names)) {
			fmt.Fprintf(progress, "checked %d of %d domains\n", done, len(d.names))
		}
	})
	seen := map[check.Finding]bool{}
	var out []check.Finding
	for _, f := range slices.Concat(findings...) {
		if !seen[f] { // a name and its wildcard have most in common
			out = append(out, f)
		}
		seen[f] = true
	}
	return out
}

// checkPersist checks the record of dns-persist-01 of each domain.
func checkPersist(ctx context.Context, checker *check.Checker, d *domains, ca check.CA, persist persistFlags) []check.Finding {
	findings := make([]check.Finding, len(d.targets))
	schedule.Each(ctx, len(d.targets), domainsAtOnce, func(ctx context.Context, i int) {
		t := d.targets[i]
		want := persist.record(t.Domain, ca.Identities[0], ca.AccountURI, d.wantsWildcard(t))
		findings[i] = checker.Persist(ctx, t.Domain, want, persist.accounts(t.Domain, ca.AccountURI), time.Now())
	})
	return findings
}

// report writes the results. The error counts those that failed or could not be made.
func report(w io.Writer, output string, results []check.Finding) error {
	count := map[check.Status]int{}
	for _, r := range results {
		count[r.Status]++
	}
	well := count[check.Failed]+count[check.Unknown] == 0
	if output == "json" {
		if err := writeJSON(w, struct {
			OK      bool            `json:"ok"`
			Results []check.Finding `json:"results"`
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

// writeResults writes one line for a check that passed, and all of the finding for
// another.
func writeResults(w io.Writer, results []check.Finding) {
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
