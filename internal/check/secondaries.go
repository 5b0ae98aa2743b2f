package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// followTime is how long a secondary may take until it has a change.
const followTime = time.Second

// secondary is one address of a secondary, and what it answered.
type secondary struct {
	name   string
	at     netip.AddrPort
	serial uint32
	signed bool // has keys of its own, and so serials of its own
	err    error
	m      *dns.Msg
}

func (s *secondary) String() string {
	if s.at.Port() == 53 {
		return fmt.Sprintf("%s (%s)", s.name, s.at.Addr())
	}
	return fmt.Sprintf("%s (%s)", s.name, s.at)
}

// secondaries checks that each address of each secondary is authoritative and has the
// current version: the primary's where Serial is known, else the newest that one has.
func (c *Checker) secondaries(ctx context.Context) (out []Finding) {
	var list []*secondary
	for _, s := range c.Secondaries {
		for _, at := range s.Servers {
			list = append(list, &secondary{name: s.Name, at: at})
		}
	}
	if len(list) == 0 {
		return nil
	}
	c.askSecondaries(ctx, list)
	current, known := c.current(list)
	behind := func(s *secondary) bool { return s.m != nil && zone.SerialLess(s.serial, current) }
	if late := slices.DeleteFunc(slices.Clone(list), func(s *secondary) bool { return !behind(s) }); len(late) > 0 {
		select {
		case <-time.After(followTime):
			c.askSecondaries(ctx, late)
		case <-ctx.Done():
		}
	}
	for _, s := range list {
		out = append(out, c.judgeSecondary(s, behind(s), known && zone.SerialLess(current, s.serial)))
	}
	return out
}

// askSecondaries fills in what each answers.
func (c *Checker) askSecondaries(ctx context.Context, list []*secondary) {
	var wg sync.WaitGroup
	for _, s := range list {
		wg.Go(func() {
			q := newQuery(c.Zone.Origin(), dns.TypeSOA)
			q.RecursionDesired = false
			s.m, s.err = c.exchange(ctx, s.at.String(), q)
			if s.err != nil {
				return
			}
			soa := find[*dns.SOA](s.m.Answer, c.Zone.Origin())
			if s.m.Rcode != dns.RcodeSuccess || !s.m.Authoritative || len(soa) == 0 {
				s.err, s.m = errors.New(describe(s.m)), nil
				return
			}
			s.serial = soa[0].Serial
			s.signed = len(c.keysAt(ctx, s.at.String())) > 0
		})
	}
	wg.Wait()
}

// current returns the serial that all should have, and whether it is the primary's.
func (c *Checker) current(list []*secondary) (serial uint32, known bool) {
	if c.Serial != nil {
		if serial, known = c.Serial(); known {
			return serial, true
		}
	}
	first := true
	for _, s := range list {
		if s.m != nil && !s.signed && (first || zone.SerialLess(serial, s.serial)) {
			serial, first = s.serial, false
		}
	}
	return serial, false
}

func (c *Checker) judgeSecondary(s *secondary, behind, ahead bool) Finding {
	origin := c.Zone.Origin()
	f := Finding{Check: secondaryFine, Subject: s.String(), Status: OK, Wanted: "the current version of " + origin, Seen: "has the current version of " + origin}
	fail := func(check string, status Status, seen, hint string) Finding {
		f.Check, f.Status, f.Seen, f.Hint = check, status, seen, hint
		return f
	}
	switch {
	case s.err != nil && isSilence(s.err):
		return fail(secondarySilent, Failed, s.err.Error(), fmt.Sprintf("Start the DNS server of %s, let port %d of %s through, or take it out of --secondary: Present waits for it.", s.name, s.at.Port(), s.at.Addr()))
	case s.err != nil:
		return fail(secondaryNotAuthoritative, Failed, s.err.Error(), fmt.Sprintf("Set up %s as a secondary of %s with its primary and key, and look at its log for why it has not transferred the zone.", s.name, origin))
	case behind && !s.signed:
		return fail(secondaryLags, Failed, "an older version", fmt.Sprintf("Let NOTIFY from Signpost reach %s, and its transfers reach Signpost: it does not follow within a second.", s.name))
	case ahead && !s.signed:
		return fail(secondaryAhead, Warning, "a newer version than Signpost has", fmt.Sprintf("Look whether %s transfers from another Signpost too, or have it transfer the zone anew: until Signpost's serial is higher again it takes no changes.", s.name))
	case s.signed:
		f.Seen = "authoritative for " + origin + ", which it signs"
	}
	return f
}

// isSilence reports whether an error of an exchange is that there was no answer.
func isSilence(err error) bool {
	return slices.ContainsFunc([]error{errNoAnswer, errRefused, errNoRoute, errNetwork}, func(e error) bool { return errors.Is(err, e) })
}

// keysAt returns the DNSKEY records of our zone that a server has, and that a DS record
// may be of.
func (c *Checker) keysAt(ctx context.Context, address string) []*dns.DNSKEY {
	q := newQuery(c.Zone.Origin(), dns.TypeDNSKEY)
	q.RecursionDesired = false
	m, err := c.ask1(ctx, "udp", address, q)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(find[*dns.DNSKEY](m.Answer, c.Zone.Origin()), func(k *dns.DNSKEY) bool { return k.Flags&dns.SEP == 0 || k.Flags&dns.REVOKE != 0 })
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
