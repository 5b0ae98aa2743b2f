package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

func newRecordsCommand() *cobra.Command {
	d := &domains{outputs: []string{"table", "zone", "json", "terraform", "dnsendpoint"}, needsZone: true, withDomains: true}
	var bind bindFlags
	var signed bool
	cmd := &cobra.Command{
		Use:   "records [domain…]",
		Short: "Say which DNS records to add",
		Long: `Say which DNS records to add: those that delegate the zone to Signpost, and
the CNAME of each domain. With domains and no --nameserver or --secondary, only
the domains'.
Nothing is looked up: the records are computed, before Signpost is installed
if you like. With --ds alone the secondaries are asked for the keys that they sign
with, for the DS record. Every flag can also be given as an environment variable: --zone as
SIGNPOST_ZONE, and so on; a flag wins over its variable.`,
		Example: "  signpost records --zone acme.example.com --nameserver ns.example.com=192.0.2.1 example.com -o zone",
		RunE: func(cmd *cobra.Command, list []string) error {
			mistakes := append(d.validate(list), bind.validate(list)...)
			if signed && len(d.secondaries) == 0 {
				mistakes = append(mistakes, "--ds: needs --secondary, the servers that sign the zone")
			}
			if len(mistakes) > 0 {
				return usageError(mistakes)
			}
			d.bind = &bind
			if len(d.ns) == 0 && len(list) == 0 {
				d.ns = []zone.Nameserver{defaultNameserver(d.zone)}
			}
			var err error
			if signed {
				if d.ds, err = (&check.Checker{Zone: d.zone, Secondaries: d.copies}).DSRecords(cmd.Context()); err != nil {
					return fmt.Errorf("--ds: %w", err)
				}
			}
			out := cmd.OutOrStdout()
			if d.output == "terraform" { // has the domains' computed in Terraform
				err = writeTerraform(out, d)
			} else {
				err = recordWriters[d.output](out, slices.Concat(d.delegation(), d.ds, d.records()))
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
	cmd.Flags().BoolVar(&signed, "ds", false, "ask the secondaries for the keys that they sign the zone with, and add the DS record")
	bind.addFlags(cmd.Flags())
	return cmd
}

// formNotes say what the form of the records does not show.
func formNotes(d *domains) (notes []string) {
	if d.output == "dnsendpoint" && len(d.ns) > 0 {
		notes = append(notes, "external-dns leaves out NS records unless it is told to manage them: run it with --source=crd and "+
			"--managed-record-types=A --managed-record-types=AAAA --managed-record-types=CNAME --managed-record-types=NS; not every provider of it can")
	}
	if d.output == "dnsendpoint" && len(d.ds) > 0 {
		notes = append(notes, "external-dns has no DS records: add the DS record of "+d.zone.Origin()+" at your DNS provider; -o zone prints it")
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
