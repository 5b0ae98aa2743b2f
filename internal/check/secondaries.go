package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/zone"
)

// followTime is how long a secondary may take until it has a change, signedTime where it
// is signed: Knot 3.2 waits for a second before it tells others what it has signed.
const (
	followTime = time.Second
	signedTime = 3 * time.Second
)

// secondary is one address of a secondary, and what it answered.
type secondary struct {
	name   string
	at     netip.AddrPort
	serial uint32 // of our version that it has
	known  bool   // whether serial is known
	err    error
	m      *dns.Msg
	signing
}

func (s *secondary) String() string { return fmt.Sprintf("%s (%s)", s.name, serverText(s.at)) }

// secondaries checks that each address of each secondary is authoritative and has the
// current version: the primary's where that is known, else the newest that one has; and
// that they sign with the same keys. At says what is known of DS records, nil for nothing.
func (c *Checker) secondaries(ctx context.Context, at *atParent) (out []Finding) {
	list := c.addresses()
	if len(list) == 0 {
		return nil
	}
	c.askSecondaries(ctx, list)
	out, current, known := c.primary(ctx)
	if !known {
		current = newest(list)
	}
	behind := func(s *secondary) bool { return s.known && zone.SerialLess(s.serial, current) }
	odd := unlike(list) // also while keys change
	if late := slices.DeleteFunc(slices.Clone(list), func(s *secondary) bool { return !behind(s) && odd[s] == nil }); len(late) > 0 {
		wait := followTime
		if slices.ContainsFunc(late, func(s *secondary) bool { return s.signed() }) {
			wait = signedTime
		}
		select {
		case <-time.After(wait):
			c.askSecondaries(ctx, late)
		case <-ctx.Done():
		}
	}
	odd = unlike(list)
	for _, s := range list {
		f := c.judgeSecondary(s, behind(s), known && s.known && zone.SerialLess(current, s.serial))
		if !known && s.known && f.Status == OK {
			f.Seen = fmt.Sprintf("has version %d; no secondary has a newer one", s.serial)
			if s.signed() {
				f.Seen += ", signed"
			}
		}
		if out = append(out, f); odd[s] != nil {
			out = append(out, c.judgeKeys(s, odd[s], at))
		}
	}
	return out
}

// addresses are those of all secondaries.
func (c *Checker) addresses() (list []*secondary) {
	for _, s := range c.Secondaries {
		for _, at := range s.Servers {
			list = append(list, &secondary{name: s.Name, at: at})
		}
	}
	return list
}

// askSecondaries fills in what each answers.
func (c *Checker) askSecondaries(ctx context.Context, list []*secondary) {
	var wg sync.WaitGroup
	for _, s := range list {
		wg.Go(func() {
			q := newQuery(c.Zone.Origin(), dns.TypeSOA)
			q.RecursionDesired = false
			s.known, s.signing = false, signing{}
			s.m, s.err = c.exchange(ctx, s.at.String(), q)
			if s.err != nil {
				return
			}
			soa := find[*dns.SOA](s.m.Answer, c.Zone.Origin())
			if s.m.Rcode != dns.RcodeSuccess || !s.m.Authoritative || len(soa) == 0 {
				s.err, s.m = errors.New(describe(s.m)), nil
				return
			}
			s.signing = c.signs(ctx, s.at.String())
			serial, err := c.versionAt(ctx, s.at.String())
			if s.serial, s.known = serial, err == nil; !s.known && !s.signed() {
				s.serial, s.known = soa[0].Serial, true
			}
		})
	}
	wg.Wait()
}

// versionAt returns the serial of our version that a server has, by the TXT record that
// it hands on as it is, whatever it does to the SOA.
func (c *Checker) versionAt(ctx context.Context, address string) (serial uint32, err error) {
	q := newQuery(c.Zone.SerialName(), dns.TypeTXT)
	q.RecursionDesired = false
	m, err := c.exchange(ctx, address, q)
	if err != nil {
		return 0, err
	}
	txt := find[*dns.TXT](m.Answer, c.Zone.SerialName())
	if m.Rcode != dns.RcodeSuccess || !m.Authoritative || len(txt) != 1 {
		return 0, errors.New(describe(m))
	}
	if serial, err = zone.ParseSerial(txt[0].Txt); err != nil {
		return 0, fmt.Errorf("has no serial at %s", c.Zone.SerialName())
	}
	return serial, nil
}

// newest returns the newest serial that one of them has.
func newest(list []*secondary) (serial uint32) {
	first := true
	for _, s := range list {
		if s.known && (first || zone.SerialLess(serial, s.serial)) {
			serial, first = s.serial, false
		}
	}
	return serial
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
	case behind && s.signed():
		return fail(secondaryLags, Failed, "an older version, signed", fmt.Sprintf("Let NOTIFY reach %s, and its transfers reach where it transfers from; if that is another server, which signs, let the same be so between that one and Signpost: it does not follow within %v.", s.name, signedTime))
	case behind:
		return fail(secondaryLags, Failed, "an older version", fmt.Sprintf("Let NOTIFY from Signpost reach %s, and its transfers reach Signpost, and give both the same key: it does not follow within a second.", s.name))
	case ahead:
		return fail(secondaryAhead, Warning, "a newer version than Signpost has", fmt.Sprintf("Look whether %s transfers from another Signpost too, or have it transfer the zone anew: until Signpost's serial is higher again it takes no changes.", s.name))
	case s.signed() && s.known:
		f.Seen += ", signed"
	case s.signed(): // its Signpost does not say
		f.Seen = "authoritative for " + origin + ", which is signed"
	}
	return f
}

// isSilence reports whether an error of an exchange is that there was no answer.
func isSilence(err error) bool {
	return slices.ContainsFunc([]error{errNoAnswer, errRefused, errNoRoute, errNetwork}, func(e error) bool { return errors.Is(err, e) })
}

// serving says, for a hint, what has to answer at the nameserver of that name.
func (c *Checker) serving(name string) string {
	if slices.ContainsFunc(c.Secondaries, func(s zone.Secondary) bool { return s.Name == name }) {
		return "the DNS server that transfers the zone"
	}
	return "Signpost's DNS Service"
}
