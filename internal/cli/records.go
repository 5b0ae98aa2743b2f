package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/zone"
)

func newRecordsCommand() *cobra.Command {
	d := &domains{outputs: []string{"table", "zone", "json", "terraform", "dnsendpoint"}, needsZone: true, withDomains: true}
	var bind bindFlags
	cmd := &cobra.Command{
		Use:   "records [domain…]",
		Short: "Say which DNS records to add",
		Long: `Say which DNS records to add: those that delegate the zone to Signpost, and
the CNAME of each domain. With domains and no --nameserver or --secondary, only
the domains'.
Nothing is looked up: the records are computed, before Signpost is installed
if you like. Every flag can also be given as an environment variable: --zone as
SIGNPOST_ZONE, and so on; a flag wins over its variable.`,
		Example: "  signpost records --zone acme.example.com --nameserver ns.example.com=192.0.2.1 example.com -o zone",
		RunE: func(cmd *cobra.Command, list []string) error {
			if mistakes := append(d.validate(list), bind.validate(list)...); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			d.bind = &bind
			if len(d.ns) == 0 && len(list) == 0 {
				d.ns = []zone.Nameserver{defaultNameserver(d.zone)}
			}
			out := cmd.OutOrStdout()
			var err error
			if d.output == "terraform" { // has the domains' computed in Terraform
				err = writeTerraform(out, d)
			} else {
				err = recordWriters[d.output](out, append(d.delegation(), d.records()...))
			}
			if err != nil {
				return err
			}
			for _, note := range append(addressNotes(d.ours()), formNotes(d)...) {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
			}
			return nil
		},
	}
	d.addFlags(cmd.Flags())
	bind.addFlags(cmd.Flags())
	return cmd
}

// formNotes say what the form of the records does not show.
func formNotes(d *domains) (notes []string) {
	if d.output == "dnsendpoint" && len(d.ns) > 0 {
		notes = append(notes, "external-dns leaves out NS records unless it is told to manage them: run it with --source=crd and "+
			"--managed-record-types=A --managed-record-types=AAAA --managed-record-types=CNAME --managed-record-types=NS; not every provider of it can")
	}
	return append(notes, d.bind.notes(d.output)...)
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
