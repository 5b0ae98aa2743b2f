package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// client is what the commands are told that say which records to add, and that
// look at them from anywhere.
type client struct {
	zoneName    string
	nameservers []string
	namespace   string
	output      string
	outputs     []string // what --output can be; the first is the default
	needsZone   bool
	withDomains bool // arguments are domains below which a record is wanted

	// set by validate
	checker *check.Checker
	records []check.Record // of the domains, in their order
	domains []string       // as they were given, none twice
	flags   *pflag.FlagSet
}

func (c *client) addFlags(fs *pflag.FlagSet) {
	c.flags = fs
	fs.SortFlags = false
	fs.StringVar(&c.zoneName, "zone", "", "zone that Signpost serves, for example acme.example.com")
	fs.StringArrayVar(&c.nameservers, "nameserver", nil, "nameserver that the zone is delegated to, as name or name=address,address; repeat for more")
	fs.StringVar(&c.namespace, "namespace", "cert-manager", "namespace of the Issuer; for a ClusterIssuer, cert-manager's cluster resource namespace")
	fs.StringVarP(&c.output, "output", "o", c.outputs[0], strings.Join(c.outputs, ", "))
}

// validate fills in what the environment says, and returns every mistake in the
// settings and in the domains.
func (c *client) validate(domains []string) []string {
	mistakes := applyEnvironment(c.flags)
	add := func(flag string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Sprintf("--%s: %v", flag, err))
		}
	}
	for _, problem := range validation.IsDNS1123Label(c.namespace) {
		add("namespace", fmt.Errorf("%q: %s", c.namespace, problem))
	}
	if !slices.Contains(c.outputs, c.output) {
		add("output", fmt.Errorf("%q is none of %s", c.output, strings.Join(c.outputs, ", ")))
	}
	if c.zoneName == "" {
		if c.needsZone {
			add("zone", errors.New("is needed: the zone that Signpost serves, for example acme.example.com"))
		}
		return mistakes
	}
	z, err := zone.New(c.zoneName)
	if err != nil {
		add("zone", err)
		return mistakes
	}
	c.checker = &check.Checker{Zone: z}
	if len(c.nameservers) > 0 {
		c.checker.Nameservers, err = z.Nameservers(c.nameservers)
		add("nameserver", err)
	}
	if c.withDomains && len(validation.IsDNS1123Label(c.namespace)) == 0 {
		mistakes = append(mistakes, c.addDomains(domains)...)
	}
	return mistakes
}

func (c *client) addDomains(domains []string) (mistakes []string) {
	seen := map[string]bool{}
	c.records, c.domains = nil, nil
	for _, d := range domains {
		r, err := c.checker.DomainRecord(c.namespace, d)
		if err != nil {
			mistakes = append(mistakes, err.Error())
			continue
		}
		if !slices.Contains(c.domains, d) {
			c.domains = append(c.domains, d)
		}
		if !seen[r.Name] { // a name and its wildcard share one
			c.records = append(c.records, r)
		}
		seen[r.Name] = true
	}
	return mistakes
}

// defaultNameserver is the name of the nameserver of a zone for which nothing
// else was said: outside the zone, so that it needs no glue.
func defaultNameserver(z *zone.Zone) zone.Nameserver {
	return zone.Nameserver{Name: "ns-" + z.Origin()}
}

// addressNote says which nameservers' addresses are still to be added, empty if
// there are none.
func addressNote(nameservers []zone.Nameserver) string {
	var names []string
	for _, ns := range nameservers {
		if len(ns.Addresses) == 0 {
			names = append(names, ns.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("add an A record, or AAAA, for %s too: the external address of Signpost's DNS Service; --nameserver %s=<address> shows it here",
		strings.Join(names, " and "), names[0])
}
