package cli

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/mail"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/zone"
)

// proposal is what init prints.
type proposal struct {
	Zone        string        `json:"zone"`
	Nameservers []string      `json:"nameservers"`
	Values      string        `json:"values"`          // the chart's values file
	Records     []zone.Record `json:"records"`         // to add, the addresses as far as they are known
	Notes       []string      `json:"notes,omitempty"` // which addresses are to be added, or are of no use
	Commands    []string      `json:"commands"`        // to run next
}

func newInitCommand() *cobra.Command {
	d := &domains{outputs: []string{"text", "json"}}
	var email string
	validate := func() []string {
		mistakes := d.validate(nil)
		if email != "" && !isEmail(email) {
			mistakes = append(mistakes, fmt.Sprintf("--email: %q is not an e-mail address", email))
		}
		return mistakes
	}
	cmd := &cobra.Command{
		Use:   "init domain",
		Short: "Propose a zone, and print the next steps",
		Long: `Propose a zone for Signpost and a name for its DNS server, both below your
domain and with a few random letters, so that they are nobody else's. Prints the
values for the chart, the DNS records to add, and the next commands. Nothing is
looked up, and nothing is changed. Every flag can also be given as an environment
variable: --zone as SIGNPOST_ZONE, and so on; a flag wins over its variable.`,
		Example: "  signpost init example.com --email you@example.com",
		RunE: func(cmd *cobra.Command, list []string) error {
			mistakes := validate()
			if len(list) != 1 {
				return usageError(append(mistakes, fmt.Sprintf("one domain is needed, such as example.com, but %d are given", len(list))))
			}
			if len(mistakes) == 0 {
				mistakes = d.propose(list[0])
			}
			if len(mistakes) > 0 {
				return usageError(mistakes)
			}
			p := d.proposal(list[0], email)
			if d.output == "json" {
				return writeJSON(cmd.OutOrStdout(), p)
			}
			return p.write(cmd.OutOrStdout())
		},
	}
	d.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&email, "email", "", "your e-mail address, for the CA's account")
	return cmd
}

// propose fills in the zone and the nameserver, where they are not given.
func (d *domains) propose(domain string) (mistakes []string) {
	name, err := zone.Domain(domain)
	if err != nil {
		return []string{err.Error()}
	}
	if zone.IsPublicSuffix(name) {
		return []string{fmt.Sprintf("domain %q: %v", domain, zone.ErrPublicSuffix)}
	}
	if d.zone == nil {
		suffix := randomSuffix()
		if d.zone, err = zone.New("acme-" + suffix + "." + name); err != nil {
			return []string{err.Error()}
		}
		if len(d.nameservers)+len(d.secondaries) == 0 {
			d.nameservers = []string{"ns-" + suffix + "." + name}
		}
	}
	if len(d.nameservers)+len(d.secondaries) == 0 {
		d.nameservers = []string{defaultNameserver(d.zone).Name}
	}
	if d.copies, err = d.zone.Secondaries(d.secondaries); err != nil {
		return []string{"--secondary: " + err.Error()}
	}
	if d.ns, err = d.zone.WithSecondaries(d.nameservers, d.copies); err != nil {
		return []string{"--nameserver: " + err.Error()}
	}
	return d.add([]string{domain})
}

// isEmail reports whether s is a bare address at a domain, as CAs want it.
func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && strings.Contains(s[strings.LastIndex(s, "@")+1:], ".")
}

// randomSuffix returns four letters and digits that cannot be mixed up.
func randomSuffix() string {
	const alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

func (d *domains) proposal(domain, email string) *proposal {
	z := d.zone.Origin()
	p := &proposal{Zone: z, Values: d.values(email), Records: append(d.delegation(), d.records()...), Notes: addressNotes(d.ours())}
	checkIt := "signpost check --zone " + z
	for _, ns := range d.ns {
		p.Nameservers = append(p.Nameservers, ns.Name)
		if !d.isSecondary(ns.Name) {
			checkIt += " --nameserver " + ns.Name
		}
	}
	for _, s := range d.secondaries {
		checkIt += " --secondary " + quoted(s)
	}
	if d.scope != "cert-manager" {
		checkIt += " --scope " + d.scope
	}
	p.Commands = append(d.secretCommands(), "helm install signpost charts/signpost --namespace signpost --create-namespace -f signpost-values.yaml", checkIt+" '"+domain+"'")
	return p
}

// values returns the chart's values. Nothing in it needs more than quotes.
func (d *domains) values(email string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "zone: %q\n", d.zone.Origin())
	d.writeSecondaries(&b)
	own := d.ours()
	if len(own) > 0 {
		b.WriteString("nameservers:\n")
	}
	for _, ns := range own {
		fmt.Fprintf(&b, "  - name: %q\n", ns.Name)
		if len(ns.Addresses) == 0 {
			continue
		}
		b.WriteString("    addresses:\n")
		for _, a := range ns.Addresses {
			fmt.Fprintf(&b, "      - %q\n", a)
		}
	}
	b.WriteString("issuer:\n  create: true\n")
	if email == "" {
		b.WriteString("  email: \"\" # your e-mail address, for the CA's account\n")
	} else {
		fmt.Fprintf(&b, "  email: %q\n", email)
	}
	return b.String()
}

// writeSecondaries writes the part of the chart's values about secondaries.
func (d *domains) writeSecondaries(b *strings.Builder) {
	if len(d.copies) == 0 {
		return
	}
	b.WriteString("mode: secondaries\nsecondaries:\n")
	list := func(name string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(b, "    %s:\n", name)
		}
		for _, v := range values {
			fmt.Fprintf(b, "      - %q\n", v)
		}
	}
	keys := false
	for _, s := range d.copies {
		fmt.Fprintf(b, "  - name: %q\n", s.Name)
		list("addresses", addressTexts(s.Servers))
		if !slices.Equal(s.Notify, s.Servers) {
			list("notify", addressTexts(s.Notify))
		}
		list("keys", s.Keys)
		keys = keys || len(s.Keys) > 0
	}
	if keys {
		b.WriteString("transfers:\n  keySecretName: signpost-transfer # with the TSIG keys, as BIND writes them, at transfer.key\n")
	}
}

// addressTexts writes addresses, with their ports where these are not 53.
func addressTexts(list []netip.AddrPort) (out []string) {
	for _, a := range list {
		if a.Port() == 53 {
			out = append(out, a.Addr().String())
		} else {
			out = append(out, a.String())
		}
	}
	return out
}

// secretCommands make the Secret with the keys of the secondaries, if they have any.
func (d *domains) secretCommands() []string {
	if !slices.ContainsFunc(d.copies, func(s zone.Secondary) bool { return len(s.Keys) > 0 }) {
		return nil
	}
	return []string{"kubectl create namespace signpost", "kubectl create secret generic signpost-transfer --namespace signpost --from-file=transfer.key"}
}

func (p *proposal) write(w io.Writer) error {
	last := len(p.Commands) - 1
	what := "Install Signpost"
	if last > 1 {
		what = "Make the Secret from the file transfer.key, which has the TSIG keys as BIND writes them, and install Signpost"
	}
	fmt.Fprintf(w, "1. Save this as signpost-values.yaml:\n\n%s\n2. %s:\n\n%s\n\n3. Add these DNS records:\n\n", p.Values, what, strings.Join(p.Commands[:last], "\n"))
	if err := writeRecordTable(w, p.Records); err != nil {
		return err
	}
	for _, note := range p.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", note)
	}
	_, err := fmt.Fprintf(w, "\n4. Check the setup:\n\n%s\n", p.Commands[last])
	return err
}

// quoted returns a word of a command so that a shell takes it as it is: zsh, for one,
// looks for files where it sees [2001:db8::1]:53.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:=_-/") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
