package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/zone"
)

func newRecordsCommand() *cobra.Command {
	d := &domains{outputs: []string{"table", "zone", "json", "terraform", "dnsendpoint"}, needsZone: true, withDomains: true}
	var caa caaFlags
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
			if mistakes := append(d.validate(list), caa.validate(list)...); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			if caa.print {
				d.caa = &caa
			}
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
	caa.addFlags(cmd.Flags())
	return cmd
}

// caaFlags are those of the CAA record that binds a domain to an account.
type caaFlags struct {
	print       bool
	ca, account string
}

func (f *caaFlags) addFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&f.print, "caa", false, "print also the CAA record that lets only one account issue for each domain; needs --ca and --account-uri")
	fs.StringVar(&f.ca, "ca", "", "with --caa: the CA, by the name that it has in CAA records, for example letsencrypt.org")
	fs.StringVar(&f.account, "account-uri", "", "with --caa: the ACME account, as in the Issuer's status.acme.uri")
}

func (f *caaFlags) validate(domains []string) (mistakes []string) {
	if !f.print {
		return nil // in the environment, they may be meant for check
	}
	if len(domains) == 0 {
		mistakes = append(mistakes, "--caa: needs a domain")
	}
	ca, err := zone.CAAIdentity(f.ca)
	if f.ca == "" {
		mistakes = append(mistakes, "--ca: is needed with --caa: the CA, for example letsencrypt.org")
	} else if err != nil {
		mistakes = append(mistakes, "--ca: "+err.Error())
	}
	f.ca = ca
	if f.account == "" {
		mistakes = append(mistakes, "--account-uri: is needed with --caa: the Issuer's status.acme.uri")
	} else if err := zone.CheckAccountURI(f.account); err != nil {
		mistakes = append(mistakes, "--account-uri: "+err.Error())
	}
	return mistakes
}

// formNotes say what the form of the records does not show.
func formNotes(d *domains) (notes []string) {
	if d.output == "dnsendpoint" && len(d.ns) > 0 {
		notes = append(notes, "external-dns leaves out NS records unless it is told to manage them: run it with --source=crd and "+
			"--managed-record-types=A --managed-record-types=AAAA --managed-record-types=CNAME --managed-record-types=NS; not every provider of it can")
	}
	if d.caa == nil {
		return notes
	}
	if d.output == "dnsendpoint" {
		notes = append(notes, "external-dns has no CAA records: add those that -o zone shows yourself")
	}
	return append(notes, "with the CAA record, no other CA or account can issue for the domain and the names below it that have no CAA records of their own; an issuewild record that is there goes before it for wildcards")
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
