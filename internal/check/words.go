package check

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/provider"
)

// entered are the findings after which somebody enters the record in a form.
var entered = []string{cnameMissing, cnameElsewhere, cnameOtherScope, cnameNameDoubled, cnameValueDoubled, cnameMisplaced,
	cnameMisspelt, cnameIsTXT, cnameProxied, cnameWildcard, cnameLoop}

// inTheirWords adds to the hint where the domain's DNS is and what the form there calls
// the fields, if the provider is known. All is known of the places.
func (k *looking) inTheirWords(r Finding) Finding {
	if r.Status != Failed || !slices.Contains(entered, r.Check) {
		return r
	}
	apex, nameservers := k.inCharge()
	if words := provider.Hint(nameservers, k.Record(), apex); words != "" {
		r.Hint += " " + words
	}
	return r
}

// inCharge returns the apex of the deepest zone that the challenge name is in, and its
// nameservers as the parent and the zone itself name them; "" if nobody referred to one.
func (k *looking) inCharge() (apex string, nameservers []string) {
	for at := range k.served {
		if len(at) > len(apex) && dns.IsSubDomain(dns.Fqdn(at), dns.Fqdn(k.Challenge)) {
			apex = at
		}
	}
	nameservers = slices.Clone(k.served[apex])
	slices.Sort(nameservers)
	return apex, slices.Compact(nameservers)
}
