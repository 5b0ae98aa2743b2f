package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/zone"
)

const persistMethod = "dns-persist-01"

// bindFlags are those of the records that bind a domain to an account: CAA, and the
// preview of dns-persist-01.
type bindFlags struct {
	caa     bool
	ca      string
	account string
	methods string
	persist persistFlags
}

func (f *bindFlags) addFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&f.caa, "caa", false, "print also the CAA record that lets only one account issue for each domain; needs --ca and --account-uri")
	fs.StringVar(&f.ca, "ca", "", "with --caa and --persist: the CA, by the name that it has in CAA records, for example letsencrypt.org")
	fs.StringVar(&f.account, "account-uri", "", "with --caa and --persist: the ACME account, as in the Issuer's status.acme.uri")
	fs.StringVar(&f.methods, "validation-methods", "dns-01", "with --caa: the challenges by which the CA may validate, separated by commas; empty for any; with --persist too, dns-persist-01 is added")
	f.persist.addFlags(fs, "print also the TXT record of dns-persist-01 for each domain, a preview of a draft that nothing here depends on; for *.domain with policy=wildcard, which is for every name below the domain; needs --ca and --account-uri")
}

func (f *bindFlags) validate(domains []string) (mistakes []string) {
	if !f.caa && !f.persist.on {
		return nil // in the environment, they may be meant for check
	}
	which := "--caa"
	if !f.caa {
		which = "--persist"
	}
	if len(domains) == 0 {
		mistakes = append(mistakes, which+": needs a domain")
	}
	ca, err := zone.CAAIdentity(f.ca)
	if f.ca == "" {
		mistakes = append(mistakes, "--ca: is needed with "+which+": the CA, for example letsencrypt.org")
	} else if err != nil {
		mistakes = append(mistakes, "--ca: "+err.Error())
	}
	f.ca = ca
	if f.account == "" {
		mistakes = append(mistakes, "--account-uri: is needed with "+which+": the Issuer's status.acme.uri")
	} else if err := zone.CheckAccountURI(f.account); err != nil {
		mistakes = append(mistakes, "--account-uri: "+err.Error())
	}
	if err := zone.CheckMethods(f.methods); err != nil && f.caa {
		mistakes = append(mistakes, "--validation-methods: "+err.Error())
	}
	if f.persist.on && f.methods != "" && !slices.Contains(strings.Split(f.methods, ","), persistMethod) {
		f.methods += "," + persistMethod // or the one record would forbid what the other lets
	}
	return append(mistakes, f.persist.validate(time.Now())...)
}

func (f *bindFlags) binding() zone.Binding {
	return zone.Binding{CA: f.ca, Account: f.account, Methods: f.methods}
}

// records are those for one domain.
func (f *bindFlags) records(t zone.Target, wildcard bool) (out []zone.Record) {
	if f.caa {
		out = append(out, t.CAA(f.binding()))
	}
	if f.persist.on {
		out = append(out, t.Persist(f.persist.record(t.Domain, f.ca, f.account, wildcard)))
	}
	return out
}

// notes say what the records do and what their form does not show.
func (f *bindFlags) notes(output string) (notes []string) {
	var kinds []string
	if f.caa {
		kinds = append(kinds, "CAA")
		note := "with the CAA record, no other CA or account can issue for the domain and the names below it that have no CAA records of their own; an issuewild record that is there goes before it for wildcards"
		if f.methods != "" {
			note += fmt.Sprintf("; validationmethods keeps this account from validating by anything but %s too: for names that it has by another challenge, name that in --validation-methods", f.methods)
		}
		notes = append(notes, note)
	}
	if f.persist.on {
		kinds = append(kinds, "TXT")
		notes = append(notes, "the record of dns-persist-01 is a preview of a draft that few CAs try out and that can still change: nothing here depends on it, and the CNAME is needed all the same. While it is there, whoever holds the account's key gets certificates with no challenge",
			cmp.Or(f.persist.formNote(), "accounturi is the account in clear, as the draft had it up to version 01; for a CA with version 02 give --account-hash-prefix and --account-thumbprint"))
	}
	if output == "dnsendpoint" && len(kinds) > 0 {
		notes = append([]string{"external-dns has no CAA records, and TXT records of its own: add those that -o zone shows yourself"}, notes...)
	}
	return notes
}

// terraform writes the records as locals.
func (f *bindFlags) terraform(d *domains) string {
	var b strings.Builder
	if f.caa {
		fmt.Fprintf(&b, "\n  # The CAA record of each domain, which lets only this account issue.\n  signpost_caa = {\n    for domain in local.signpost_domains :\n    domain => { flags = 0, tag = \"issue\", value = %q }\n  }\n", f.binding().IssueValue())
	}
	if f.persist.on {
		b.WriteString("\n  # A preview: the TXT record of dns-persist-01 for each domain, its name and its value.\n  signpost_persist = {\n")
		for _, t := range d.targets {
			fmt.Fprintf(&b, "    %q = %q\n", zone.PersistName(t.Domain), f.persist.record(t.Domain, f.ca, f.account, d.wantsWildcard(t)).Value())
		}
		b.WriteString("  }\n")
	}
	return b.String()
}

// persistFlags are those of dns-persist-01, for records and for check.
type persistFlags struct {
	on                 bool
	until              string
	prefix, thumbprint string

	end time.Time // set by validate
}

func (f *persistFlags) addFlags(fs *pflag.FlagSet, usage string) {
	fs.BoolVar(&f.on, "persist", false, usage)
	fs.StringVar(&f.until, "persist-until", "", "with --persist: the day on which the record ends, at 0:00 UTC, as 2027-12-31 (default: it does not)")
	fs.StringVar(&f.prefix, "account-hash-prefix", "", "with --persist: accountHashPrefix in the CA's directory, for a CA that wants the account hashed (version 02 of the draft)")
	fs.StringVar(&f.thumbprint, "account-thumbprint", "", "with --account-hash-prefix: the SHA-256 JWK thumbprint of the account's key")
}

func (f *persistFlags) validate(now time.Time) (mistakes []string) {
	if !f.on {
		return nil
	}
	if f.until != "" {
		end, err := time.Parse(time.DateOnly, f.until)
		switch {
		case err != nil || end.Year() > 9999:
			mistakes = append(mistakes, fmt.Sprintf("--persist-until: %q: write a day as 2027-12-31", f.until))
		case !end.After(now):
			mistakes = append(mistakes, fmt.Sprintf("--persist-until: %s has passed", f.until))
		}
		f.end = end
	}
	if (f.prefix == "") != (f.thumbprint == "") {
		return append(mistakes, "--account-hash-prefix and --account-thumbprint: are needed together")
	}
	if f.prefix == "" {
		return mistakes
	}
	if err := zone.CheckAccountURI(f.prefix); err != nil {
		mistakes = append(mistakes, fmt.Sprintf("--account-hash-prefix: %q: write the accountHashPrefix in the CA's directory", f.prefix))
	}
	if err := zone.CheckThumbprint(f.thumbprint); err != nil {
		mistakes = append(mistakes, "--account-thumbprint: "+err.Error())
	}
	return mistakes
}

// record is what the record of a domain, in canonical form, should say.
func (f *persistFlags) record(domain, ca, account string, wildcard bool) zone.Persist {
	return zone.Persist{CA: ca, Account: f.accounts(domain, account)[0], Wildcard: wildcard, Until: f.end}
}

// accounts are the values of accounturi that stand for the account, the best first.
func (f *persistFlags) accounts(domain, account string) []string {
	if f.prefix == "" {
		return []string{account}
	}
	return []string{zone.HashedAccount(f.prefix, domain, f.thumbprint, account), zone.HashedAccount(f.prefix, "*", f.thumbprint, account)}
}

// formNote is for an account that is hashed.
func (f *persistFlags) formNote() string {
	if f.prefix == "" {
		return ""
	}
	return "accounturi hides the account by a hash with its key, as the draft has it since version 02: print the record again when the account gets another key"
}
