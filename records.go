package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

func newRecordsCommand(args []string) *cobra.Command {
	c := &client{outputs: []string{"table", "zone", "json", "terraform", "dnsendpoint"}, needsZone: true, withDomains: true}
	cmd := &cobra.Command{
		Use:   "records [domain…]",
		Short: "Say which DNS records to add",
		Long: `Say which DNS records to add: those that delegate the zone to Signpost, and
the CNAME of each domain. With domains and no --nameserver, only the domains'.
Nothing is looked up: the records are computed, before Signpost is installed
if you like. Every flag can also be given as an environment variable: --zone as
SIGNPOST_ZONE, and so on; a flag wins over its variable.`,
		Example: "  signpost records --zone acme.example.com --nameserver ns.example.com=192.0.2.1 example.com -o zone",
		RunE: func(cmd *cobra.Command, domains []string) error {
			if mistakes := c.validate(domains); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			if len(c.checker.Nameservers) == 0 && len(domains) == 0 {
				c.checker.Nameservers = []zone.Nameserver{defaultNameserver(c.checker.Zone)}
			}
			delegation := c.checker.Records()
			out := cmd.OutOrStdout()
			var err error
			if c.output == "terraform" { // computes the domains' by itself
				err = writeTerraform(out, c, delegation)
			} else {
				err = recordWriters[c.output](out, append(delegation, c.records...))
			}
			if note := addressNote(c.checker.Nameservers); note != "" && err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
			}
			return err
		},
	}
	c.addFlags(cmd.Flags())
	reportAll(cmd, args, func() []string { return c.validate(nil) })
	return cmd
}

// recordSets returns together what has the same name and type.
func recordSets(records []check.Record) (sets [][]check.Record) {
	index := map[string]int{}
	for _, r := range records {
		key := r.Name + " " + r.Type
		if i, ok := index[key]; ok {
			sets[i] = append(sets[i], r)
			continue
		}
		index[key] = len(sets)
		sets = append(sets, []check.Record{r})
	}
	return sets
}
