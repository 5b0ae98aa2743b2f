package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

// signingKey is the key with which a secondary signs, and its DS record.
var signingKey = func() *dns.DNSKEY {
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: ourZone + ".", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET}, Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	if _, err := k.Generate(256); err != nil {
		panic(err)
	}
	return k
}()

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
		"a DS, no signature": {first: copyOf(7), second: copyOf(7), parent: "acme DS 1 13 2 aabb", want: "delegation-signed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Serve("example.com", "@ NS ns0\nns0 A 127.53.0.10\nacme NS ns\nns A 127.53.0.20\n"+tc.parent, parentServer)
			w.Hook(ourServer, tc.first)
			w.Hook(second, tc.second)
			var err error
			w.Secondaries, err = w.Zone.Secondaries([]string{"ns.example.com=" + w.Addr(ourServer), "ns2.example.net=" + w.Addr(second)})
			if err != nil {
				t.Fatal(err)
			}
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
