package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signpost-acme/signpost/internal/zone"
)

// domains are the settings and arguments of the commands that print which records to
// add, and that check them.
type domains struct {
	zoneName    string
	nameservers []string
	secondaries []string
	scope       string
	output      string
	outputs     []string // what --output can be; the first is the default
	needsZone   bool
	withDomains bool // arguments are domains below which a record is wanted

	ds   []zone.Record // of the secondaries' keys, where they were asked for
	bind *bindFlags    // nil for no records that bind a domain to an account

	// set by validate
	zone    *zone.Zone
	ns      []zone.Nameserver // the secondaries are among them
	copies  []zone.Secondary
	targets []zone.Target // of the domains, in their order, none twice
	names   []string      // the domains as they were given, none twice
	flags   *pflag.FlagSet
}

func (d *domains) addFlags(fs *pflag.FlagSet) {
	d.flags = fs
	fs.SortFlags = false
	fs.StringVar(&d.zoneName, "zone", "", "zone that Signpost serves, for example acme.example.com")
	fs.StringArrayVar(&d.nameservers, "nameserver", nil, "nameserver that the zone is delegated to, as name or name=address,address; repeat for more")
	fs.StringArrayVar(&d.secondaries, "secondary", nil, "server of yours that transfers the zone from Signpost and answers for it, as name=address,address,key=NAME,notify=address; repeat for more")
	fs.StringVar(&d.scope, "scope", "cert-manager", "namespace that the targets belong to: the Issuer's; for a ClusterIssuer, cert-manager's cluster resource namespace")
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "namespace" { // what --scope was called; elsewhere that is an object's
			name = "scope"
		}
		return pflag.NormalizedName(name)
	})
	fs.StringVarP(&d.output, "output", "o", d.outputs[0], strings.Join(d.outputs, ", "))
}

// validate fills in what the environment says, and returns every mistake in the
// settings and in the domains.
func (d *domains) validate(list []string) []string {
	mistakes := applyEnvironment(d.flags)
	add := func(flag string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %v", flag, err))
		}
	}
	problems := validation.IsDNS1123Label(d.scope)
	for _, problem := range problems {
		add("scope", fmt.Errorf("%q: %s", d.scope, problem))
	}
	if !slices.Contains(d.outputs, d.output) {
		add("output", fmt.Errorf("%q is none of %s", d.output, strings.Join(d.outputs, ", ")))
	}
	if d.zoneName == "" {
		if d.needsZone {
			add("zone", errors.New("is needed: the zone that Signpost serves, for example acme.example.com"))
		}
		return mistakes
	}
	z, err := zone.New(d.zoneName)
	if err != nil {
		add("zone", err)
		return mistakes
	}
	d.zone = z
	if d.copies, err = z.Secondaries(d.secondaries); err != nil {
		add("secondary", err)
	} else if len(d.nameservers)+len(d.copies) > 0 {
		d.ns, err = z.WithSecondaries(d.nameservers, d.copies)
		add("nameserver", err)
	}
	if d.withDomains && len(problems) == 0 {
		mistakes = append(mistakes, d.add(list)...)
	}
	return mistakes
}

// add adds domains, and returns what is wrong with those that it cannot add.
func (d *domains) add(list []string) (mistakes []string) {
	for _, name := range list {
		target, err := d.zone.Target(d.scope, name)
		if err != nil {
			mistakes = append(mistakes, err.Error())
			continue
		}
		if !slices.Contains(d.names, name) {
			d.names = append(d.names, name)
		}
		if !slices.Contains(d.targets, target) { // a name and its wildcard share one
			d.targets = append(d.targets, target)
		}
	}
	return mistakes
}

// records are those that the owners of the domains have to add.
func (d *domains) records() (out []zone.Record) {
	for _, t := range d.targets {
		out = append(out, t.Record())
		if d.bind != nil {
			out = append(out, d.bind.records(t, d.wantsWildcard(t))...)
		}
	}
	return out
}

// wantsWildcard reports whether the target's domain was given with "*.".
func (d *domains) wantsWildcard(t zone.Target) bool {
	return slices.ContainsFunc(d.names, func(name string) bool {
		domain, err := zone.Domain(name)
		return err == nil && domain == t.Domain && zone.IsWildcard(name)
	})
}

// delegation are the records that delegate the zone. Secondaries have their addresses
// already, but for those inside the zone, which need glue.
func (d *domains) delegation() (out []zone.Record) {
	for _, r := range d.zone.Delegation(d.ns) {
		of := r.Name
		if r.Type == "NS" {
			of = r.Value
		}
		switch {
		case !d.isSecondary(of):
		case r.Type == "NS":
			r.Why = "sends everybody who asks for names in " + d.zone.Origin() + " to a server that has them from Signpost"
		case !d.zone.Contains(of):
			continue
		default:
			r.Why = "the address of a server that has the zone from Signpost, added beside the NS record as glue"
		}
		out = append(out, r)
	}
	return out
}

// isSecondary reports whether the nameserver of that name transfers the zone.
func (d *domains) isSecondary(name string) bool {
	return slices.ContainsFunc(d.copies, func(s zone.Secondary) bool { return s.Name == name })
}

// ours are the nameservers that are not secondaries.
func (d *domains) ours() []zone.Nameserver {
	return slices.DeleteFunc(slices.Clone(d.ns), func(ns zone.Nameserver) bool { return d.isSecondary(ns.Name) })
}

// defaultNameserver is the name of the nameserver of a zone for which nothing
// else was said: outside the zone, so that it needs no glue.
func defaultNameserver(z *zone.Zone) zone.Nameserver {
	return zone.Nameserver{Name: "ns-" + z.Origin()}
}

// addressNotes says which nameservers' addresses are still to be added, and which a
// public CA cannot reach.
func addressNotes(nameservers []zone.Nameserver) (notes []string) {
	var names []string
	for _, ns := range nameservers {
		if len(ns.Addresses) == 0 {
			names = append(names, ns.Name)
		}
		for _, a := range ns.Addresses {
			if why := zone.Unreachable(a); why != "" {
				notes = append(notes, fmt.Sprintf("a public CA cannot reach %s at %s, which is %s: give it the external address of Signpost's DNS Service, unless your CA is your own",
					ns.Name, a, why))
			}
		}
	}
	if len(names) > 0 {
		notes = append(notes, fmt.Sprintf("add an A record, or AAAA, for %s too: the external address of Signpost's DNS Service; --nameserver %s=<address> shows it here",
			strings.Join(names, " and "), names[0]))
	}
	return notes
}
