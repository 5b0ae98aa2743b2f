package check_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

// signingKey is the key with which a secondary signs, and its DS record.
var signingKey, otherSigningKey = newSigningKey(), newSigningKey()

func newSigningKey() *dns.DNSKEY {
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: ourZone + ".", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET}, Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	if _, err := k.Generate(256); err != nil {
		panic(err)
	}
	return k
}

// copyOf answers like a secondary that has the version with that serial, and signs it
// with these keys.
func copyOf(serial uint32, keys ...dns.RR) dnstest.Hook {
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		m := ourAnswer(q)
		m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
		switch q.Question[0].Qtype {
		case dns.TypeSOA:
			m.Answer = append(m.Answer, &dns.SOA{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "ns.example.com.", Mbox: ".", Serial: serial})
		case dns.TypeDNSKEY:
			m.Answer = keys
		}
		return m, true
	}
}

// signs answers like a secondary that signs, with an SOA serial of its own, and has the
// version of which it says so in the TXT record.
func signs(version string) dnstest.Hook { return hasVersion(version, signingKey) }

// hasVersion answers like a secondary with an SOA serial of its own.
func hasVersion(version string, keys ...dns.RR) dnstest.Hook {
	return func(q *dns.Msg, network string) (*dns.Msg, bool) {
		m, done := copyOf(99, keys...)(q, network)
		if h := q.Question[0]; h.Qtype == dns.TypeTXT && strings.EqualFold(h.Name, "_serial."+ourZone+".") {
			m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: h.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{version}}}
		}
		return m, done
	}
}

func TestSecondaries(t *testing.T) {
	const second = "127.53.0.21"
	ds := signingKey.ToDS(dns.SHA256)
	right := fmt.Sprintf("acme DS %d %d %d %s", ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
	notOurs := func(q *dns.Msg, network string) (*dns.Msg, bool) {
		m, done := copyOf(7)(q, network)
		m.Authoritative = false
		return m, done
	}
	for name, tc := range map[string]struct {
		first, second dnstest.Hook
		primary       uint32 // its serial; 0 if it is not known
		parent        string
		want          string // what is not OK, of the secondaries and DS
		hint          string
	}{
		"the same":           {first: copyOf(7), second: copyOf(7)},
		"as the primary":     {first: copyOf(7), second: copyOf(7), primary: 7},
		"one lags":           {first: copyOf(7), second: copyOf(8), want: "secondary-lags", hint: "NOTIFY"},
		"serials wrap":       {first: copyOf(3), second: copyOf(0xfffffff0), want: "secondary-lags", hint: "ns2.example.net"},
		"both lag":           {first: copyOf(7), second: copyOf(7), primary: 8, want: "secondary-lags secondary-lags"},
		"both ahead":         {first: copyOf(9), second: copyOf(9), primary: 8, want: "secondary-ahead secondary-ahead", hint: "anew"},
		"silent":             {first: dnstest.Silent, second: copyOf(7), want: "secondary-silent", hint: "Start the DNS server of ns.example.com"},
		"refuses":            {first: dnstest.Fails(dns.RcodeRefused), second: copyOf(7), want: "secondary-not-authoritative", hint: "its primary and key"},
		"expired":            {first: dnstest.Fails(dns.RcodeServerFailure), second: copyOf(7), want: "secondary-not-authoritative"},
		"not authoritative":  {first: notOurs, second: copyOf(7), want: "secondary-not-authoritative"},
		"signs, and the DS":  {first: copyOf(99, signingKey), second: copyOf(99, signingKey), primary: 8, parent: right},
		"signs, without DS":  {first: copyOf(99, signingKey), second: copyOf(99, signingKey), primary: 8, want: "ds-missing", hint: "Add the record acme.example.com DS " + fmt.Sprint(ds.KeyTag)},
		"signs, another DS":  {first: copyOf(99, signingKey), second: copyOf(99, signingKey), parent: "acme DS 1 13 2 aabb", want: "ds-differs", hint: strings.ToUpper(ds.Digest)},
		"own serials":        {first: hasVersion("8"), second: hasVersion("7"), primary: 8, want: "secondary-lags", hint: "NOTIFY from Signpost reach ns2.example.net"},
		"sign, the same":     {first: signs("8"), second: signs("8"), primary: 8, parent: right},
		"sign, one lags":     {first: signs("8"), second: signs("7"), primary: 8, parent: right, want: "secondary-lags", hint: "ns2.example.net"},
		"sign, both lag":     {first: signs("7"), second: signs("7"), primary: 8, parent: right, want: "secondary-lags secondary-lags", hint: "where it transfers from"},
		"sign, lag unknown":  {first: signs("8"), second: signs("7"), parent: right, want: "secondary-lags", hint: "ns2.example.net"},
		"sign, serials wrap": {first: signs("3"), second: signs("4294967280"), primary: 3, parent: right, want: "secondary-lags", hint: "ns2.example.net"},
		"sign, one is ahead": {first: signs("9"), second: signs("8"), primary: 8, parent: right, want: "secondary-ahead", hint: "anew"},
		"sign, no serial":    {first: signs("one"), second: signs("4294967296"), primary: 8, parent: right},
		"sign otherwise":     {first: signs("8"), second: hasVersion("8", otherSigningKey), primary: 8, parent: right, want: "secondary-keys", hint: "and ns2.example.net transfer from that one"},
		"one signs":          {first: signs("8"), second: hasVersion("8"), primary: 8, parent: right, want: "secondary-keys", hint: "ns2.example.net transfer from that one"},
		"one does not sign":  {first: hasVersion("8"), second: signs("8"), primary: 8, parent: right, want: "secondary-keys", hint: "ns.example.com transfer from that one"},
		"otherwise, no DS":   {first: signs("8"), second: hasVersion("8", otherSigningKey), primary: 8, want: "ds-missing secondary-keys"},
		"a DS, no signature": {first: copyOf(7), second: copyOf(7), parent: "acme DS 1 13 2 aabb", want: "delegation-signed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\nacme NS ns\nns A 127.53.0.20\n"+tc.parent, parentServer)
			w.Hook(ourServer, tc.first)
			w.Hook(second, tc.second)
			w.secondaries(t, "ns.example.com="+w.Addr(ourServer), "ns2.example.net="+w.Addr(second))
			w.Serial = func() (uint32, bool) { return tc.primary, tc.primary != 0 }
			var got []string
			hints := ""
			findings := w.Delegation(t.Context())
			agree(t, findings)
			seen := 0
			for _, f := range findings {
				if strings.Contains(f.Hint, "DNS Service") && strings.Contains(f.Subject, "ns") {
					t.Errorf("%s at %s, which is a secondary: %s", f.Check, f.Subject, f.Hint)
				}
				if !strings.HasPrefix(f.Check, "secondary") && !strings.HasPrefix(f.Check, "ds") && f.Check != "delegation-signed" {
					continue
				}
				seen++
				if f.Status != check.OK {
					got, hints = append(got, f.Check), hints+f.Hint
				}
			}
			if strings.Join(got, " ") != tc.want || !strings.Contains(hints, tc.hint) || seen < 2 {
				t.Errorf("%q, want %q\n%s", got, tc.want, hints)
			}
		})
	}
}

// Secondaries that sign with different keys are found also where nothing is known of the
// delegation; it is only a warning where there is certainly no DS record.
func TestSecondaryKeysStatus(t *testing.T) {
	const second = "127.53.0.21"
	for name, tc := range map[string]struct {
		parent dnstest.Hook
		zone   string
		want   check.Status
	}{
		"a DS record":             {nil, "acme DS 1 13 2 aabb", check.Failed},
		"no DS record":            {nil, "", check.Warning},
		"the parent is not found": {dnstest.Silent, "", check.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Timeout = 300 * time.Millisecond
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\nacme NS ns\nns A 127.53.0.20\n"+tc.zone, parentServer)
			if tc.parent != nil {
				w.Hook(parentServer, tc.parent)
			}
			w.Hook(ourServer, signs("8"))
			w.Hook(second, hasVersion("8", otherSigningKey))
			w.secondaries(t, "ns.example.com="+w.Addr(ourServer), "ns2.example.net="+w.Addr(second))
			f := get(t, w.Delegation(t.Context()), "secondary-keys")
			if f.Status != tc.want || !strings.HasPrefix(f.Subject, "ns2.example.net") || !strings.HasPrefix(f.Seen, "signs with other keys than ns.example.com (") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// Without the primary's serial nothing is said of it; with an address of Signpost's,
// secondaries that are all stale are found.
func TestSecondariesComparedWithThePrimary(t *testing.T) {
	const second, primary = "127.53.0.21", "127.53.0.22"
	for name, tc := range map[string]struct {
		primary dnstest.Hook // nil: not asked
		want    string
		seen    string // by the first secondary
	}{
		"not asked":      {nil, "secondary secondary", "has version 7; no secondary has a newer one"},
		"all current":    {hasVersion("7"), "primary secondary secondary", "has the current version of acme.example.com"},
		"all stale":      {hasVersion("350"), "primary secondary-lags secondary-lags", "an older version"},
		"silent":         {dnstest.Silent, "primary-silent secondary secondary", "has version 7; no secondary has a newer one"},
		"knows none":     {dnstest.Fails(dns.RcodeServerFailure), "primary-unknown secondary secondary", "has version 7; no secondary has a newer one"},
		"somebody else":  {dnstest.Fails(dns.RcodeRefused), "primary-unknown secondary secondary", "has version 7; no secondary has a newer one"},
		"no transfers":   {copyOf(1), "primary-unknown secondary secondary", "has version 7; no secondary has a newer one"},
		"has older ones": {hasVersion("6"), "primary secondary-ahead secondary-ahead", "a newer version than Signpost has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Timeout = 500 * time.Millisecond
			w.Hook(ourServer, hasVersion("7"))
			w.Hook(second, hasVersion("7"))
			w.secondaries(t, "ns.example.com="+w.Addr(ourServer), "ns2.example.net="+w.Addr(second))
			if tc.primary != nil {
				w.Hook(primary, tc.primary)
				w.Primaries = []netip.AddrPort{netip.MustParseAddrPort(w.Addr(primary))}
			}
			findings := w.Delegation(t.Context())
			agree(t, findings)
			var got, seen []string
			for _, f := range findings {
				if strings.HasPrefix(f.Check, "primary") || strings.HasPrefix(f.Check, "secondary") {
					got = append(got, f.Check)
				}
				if strings.HasPrefix(f.Check, "secondary") {
					seen = append(seen, f.Seen)
				}
			}
			if strings.Join(got, " ") != tc.want || len(seen) != 2 || seen[0] != tc.seen {
				t.Errorf("%q, %q, want %q, %q", got, seen, tc.want, tc.seen)
			}
		})
	}
}

// secondaries sets the secondaries, all of which are nameservers.
func (w *world) secondaries(t *testing.T, list ...string) {
	t.Helper()
	var err error
	if w.Secondaries, err = w.Zone.Secondaries(list); err != nil {
		t.Fatal(err)
	}
}
