package zone

import "fmt"

// Record is a DNS record that somebody has to add.
type Record struct {
	Name  string `json:"name"`  // owner, lower-case A-labels, no final dot
	Type  string `json:"type"`  // NS, A, AAAA or CNAME
	Value string `json:"value"` // RDATA in presentation form; names without final dot
	Why   string `json:"why"`   // one sentence for the person who adds it
}

// Delegation returns the records that delegate the zone to these nameservers, to
// be added at the DNS provider of the zone above it. The address of a nameserver
// is among them only if it is known.
func (z *Zone) Delegation(nameservers []Nameserver) []Record {
	var out []Record
	for _, ns := range nameservers {
		out = append(out, Record{Name: z.origin, Type: "NS", Value: ns.Name,
			Why: fmt.Sprintf("sends everybody who asks for names in %s to Signpost's DNS server", z.origin)})
	}
	for _, ns := range nameservers {
		why := "the address of Signpost's DNS server"
		if z.Contains(ns.Name) {
			why += ", added beside the NS record as glue"
		}
		out = append(out, ns.Records(why)...)
	}
	return out
}

// Records returns the address records of the nameserver, each with the reason why.
func (ns Nameserver) Records(why string) (out []Record) {
	for _, a := range ns.Addresses {
		r := Record{Name: ns.Name, Type: "A", Value: a.String(), Why: why}
		if a.Is6() {
			r.Type = "AAAA"
		}
		out = append(out, r)
	}
	return out
}
