package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// DSRecords asks every address of the secondaries for the keys that they sign with, and
// returns the DS records of them, to be added at the zone above. The error says which one
// does not answer, does not sign, or signs with another key: with a DS record, what that
// one answers would count as forged.
func (c *Checker) DSRecords(ctx context.Context) (out []zone.Record, err error) {
	list := c.addresses()
	if len(list) == 0 {
		return nil, errors.New("there are no secondaries that could sign")
	}
	var wg sync.WaitGroup
	for _, s := range list {
		wg.Go(func() { s.signing = c.signs(ctx, s.at.String()) })
	}
	wg.Wait()
	odd := unlike(list)
	var errs []error
	for _, s := range list {
		switch {
		case s.keysErr != nil:
			errs = append(errs, fmt.Errorf("%s: %w", s, s.keysErr))
		case !s.signed():
			errs = append(errs, fmt.Errorf("%s does not sign: it has no DNSKEY record of %s", s, c.Zone.Origin()))
		case odd[s] != nil:
			errs = append(errs, fmt.Errorf("%s %w: let one sign, and the others transfer from it", s, odd[s]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, text := range list[0].keys {
		out = append(out, zone.Record{Name: c.Zone.Origin(), Type: "DS", Value: text, Why: "lets resolvers validate what the secondaries have signed"})
	}
	return out, nil
}

// keysAt returns the DNSKEY records of our zone that a server has, and that a DS record
// may be of; none if it does not answer.
func (c *Checker) keysAt(ctx context.Context, address string) []*dns.DNSKEY {
	keys, _ := c.keys(ctx, address)
	return keys
}

func (c *Checker) keys(ctx context.Context, address string) ([]*dns.DNSKEY, error) {
	q := newQuery(c.Zone.Origin(), dns.TypeDNSKEY)
	q.RecursionDesired = false
	m, err := c.exchange(ctx, address, q)
	if err != nil {
		return nil, err
	}
	if m.Rcode != dns.RcodeSuccess || !m.Authoritative {
		return nil, errors.New(describe(m))
	}
	return slices.DeleteFunc(find[*dns.DNSKEY](m.Answer, c.Zone.Origin()), func(k *dns.DNSKEY) bool { return k.Flags&dns.SEP == 0 || k.Flags&dns.REVOKE != 0 }), nil
}

// ds compares the DS records at the zone above, apex, with the keys that the servers
// have: of which none signs, where there are no secondaries that do.
func (c *Checker) ds(ctx context.Context, records []*dns.DS, apex string, servers []string) []Finding {
	var keys []*dns.DNSKEY
	for _, server := range servers {
		if keys = c.keysAt(ctx, server); len(keys) > 0 {
			break
		}
	}
	if len(keys) == 0 {
		if len(records) > 0 {
			return []Finding{c.signed("DS at " + apex)}
		}
		return nil
	}
	origin := c.Zone.Origin()
	var wanted []string
	for _, k := range keys {
		wanted = append(wanted, dsText(k.ToDS(dns.SHA256)))
		for _, ds := range records {
			if own := k.ToDS(ds.DigestType); own != nil && own.KeyTag == ds.KeyTag && strings.EqualFold(own.Digest, ds.Digest) {
				return []Finding{{Check: dsFine, Subject: origin, Status: OK, Wanted: "DS of the zone's key", Seen: "DS " + dsText(ds)}}
			}
		}
	}
	f := Finding{Check: dsMissing, Subject: origin, Status: Warning, Wanted: "DS " + sorted(wanted), Seen: "no DS",
		Hint: fmt.Sprintf("Add the record %s DS %s at the DNS provider of %s, so that the signatures count.", origin, sorted(wanted), apex)}
	if len(records) > 0 {
		var seen []string
		for _, ds := range records {
			seen = append(seen, dsText(ds))
		}
		f.Check, f.Status, f.Seen = dsDiffers, Failed, "DS "+sorted(seen)
		f.Hint = fmt.Sprintf("Replace the DS record at the DNS provider of %s by %s DS %s: as it is, every answer is taken for forged.", apex, origin, sorted(wanted))
	}
	return []Finding{f}
}

func dsText(ds *dns.DS) string {
	return fmt.Sprintf("%d %d %d %s", ds.KeyTag, ds.Algorithm, ds.DigestType, strings.ToUpper(ds.Digest))
}
