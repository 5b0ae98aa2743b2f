package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// signing is what a server signs the zone with.
type signing struct {
	keys    []string // as the DS records of its keys, sorted; none if it does not sign
	keysErr error    // why that is not known
}

// signed reports whether it signs: then SOA serials are its own, or of whoever signs.
func (s signing) signed() bool { return len(s.keys) > 0 }

// signs asks a server for the keys that it signs with.
func (c *Checker) signs(ctx context.Context, address string) (s signing) {
	keys, err := c.keys(ctx, address)
	for _, k := range keys {
		s.keys = append(s.keys, dsText(k.ToDS(dns.SHA256)))
	}
	slices.Sort(s.keys)
	s.keysErr = err
	return s
}

// unlike says which of the servers sign otherwise than the first that signs, and how: with
// other keys, or not at all. With one DS record, what they answer would count as forged.
// Where no server signs, and of one whose keys are not known, it says nothing.
func unlike(list []*secondary) map[*secondary]error {
	first := slices.IndexFunc(list, func(s *secondary) bool { return s.signed() })
	if first < 0 {
		return nil
	}
	odd := map[*secondary]error{}
	for _, s := range list {
		switch {
		case s.err != nil || s.keysErr != nil || slices.Equal(s.keys, list[first].keys):
		case !s.signed():
			odd[s] = fmt.Errorf("does not sign, but %s does", list[first])
		default:
			odd[s] = fmt.Errorf("signs with other keys than %s", list[first])
		}
	}
	return odd
}

// judgeKeys says of a secondary how it signs otherwise than another. Until there is a DS
// record nobody validates, and all of them are right.
func (c *Checker) judgeKeys(s *secondary, how error, at *atParent) Finding {
	f := Finding{Check: secondaryKeys, Subject: s.String(), Status: Failed, Wanted: "the same keys at every secondary", Seen: how.Error(),
		Hint: fmt.Sprintf("Let one server sign %s, and %s transfer from that one, as all others: with a DS record, what it answers would be taken for forged.", c.Zone.Origin(), s.name)}
	if at != nil && len(at.records) == 0 {
		f.Status = Warning
	}
	return f
}
