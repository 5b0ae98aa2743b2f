package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/zone"
)

func newRecordsCommand() *cobra.Command {
	d := &domains{outputs: []string{"table", "zone", "json", "terraform", "dnsendpoint"}, needsZone: true, withDomains: true}
	cmd := &cobra.Command{
		Use:   "records [domain…]",
		Short: "Say which DNS records to add",
		Long: `Say which DNS records to add: those that delegate the zone to Signpost, and
the CNAME of each domain. With domains and no --nameserver, only the domains'.
Nothing is looked up: the records are computed, before Signpost is installed
if you like. Every flag can also be given as an environment variable: --zone as
SIGNPOST_ZONE, and so on; a flag wins over its variable.`,
		Example: "  signpost records --zone acme.example.com --nameserver ns.example.com=192.0.2.1 example.com -o zone",
		RunE: func(cmd *cobra.Command, list []string) error {
			if mistakes := d.validate(list); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			if len(d.ns) == 0 && len(list) == 0 {
				d.ns = []zone.Nameserver{defaultNameserver(d.zone)}
			}
			out := cmd.OutOrStdout()
			var err error
			if d.output == "terraform" { // computes the domains' by itself
				err = writeTerraform(out, d)
			} else {
				err = recordWriters[d.output](out, append(d.delegation(), d.records()...))
			}
			if err != nil {
				return err
			}
			for _, note := range addressNotes(d.ns) {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
			}
			return nil
		},
	}
	d.addFlags(cmd.Flags())
	return cmd
}

// recordSets returns together what has the same name and type.
func recordSets(records []zone.Record) (sets [][]zone.Record) {
	index := map[string]int{}
	for _, r := range records {
		key := r.Name + " " + r.Type
		if i, ok := index[key]; ok {
			sets[i] = append(sets[i], r)
			continue
		}
		index[key] = len(sets)
		sets = append(sets, []zone.Record{r})
	}
	return sets
}
