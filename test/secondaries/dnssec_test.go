package secondaries

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/zone"
)

// aggressive is the setting by which a resolver says NXDOMAIN from what it knows of other
// names (RFC 8198).
const aggressive = "aggressive-nsec: yes"

// unbound runs an Unbound that asks a server for our zone, with a setting, and returns
// its address when it answers.
func unbound(t *testing.T, server, setting string) string {
	t.Helper()
	address := dnstest.Unbound(t, map[string]string{origin: server}, aggressive, setting)
	eventually(t, 20*time.Second, "Unbound answers", func() bool {
		m, err := resolve(address, uuid.New())
		return err == nil && m.Rcode != dns.RcodeServerFailure
	})
	return address
}

// resolve asks a resolver, with DNSSEC.
func resolve(address string, id uuid.UUID) (*dns.Msg, error) {
	q := new(dns.Msg).SetQuestion(id.String()+"."+origin+".", dns.TypeTXT)
	q.SetEdns0(1232, true)
	q.AuthenticatedData = true
	m, _, err := (&dns.Client{Timeout: 3 * time.Second}).Exchange(q, address)
	return m, err
}

func texts(m *dns.Msg) (out []string) {
	for _, rr := range m.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			out = append(out, strings.Join(txt.Txt, ""))
		}
	}
	slices.Sort(out)
	return out
}

// A resolver that asked too early, also with aggressive use of NSEC (RFC 8198), does not
// miss the value when it is presented, nor does it remember it when it is gone; secure
// says whether what it says must be validated.
func early(t *testing.T, p *primary, secondary, resolver string, secure bool) {
	t.Helper()
	for i := range 20 {
		id := uuid.New()
		for _, step := range []struct {
			change func() error
			want   []string
			rcode  int
		}{
			{func() error { return nil }, nil, dns.RcodeNameError},
			{func() error { return p.Add(t.Context(), id, "one") }, []string{"one"}, dns.RcodeSuccess},
			{func() error { return p.Add(t.Context(), id, "two") }, []string{"one", "two"}, dns.RcodeSuccess},
			{func() error { return p.Remove(t.Context(), id, "one") }, []string{"two"}, dns.RcodeSuccess},
			{func() error { return p.Remove(t.Context(), id, "two") }, nil, dns.RcodeNameError},
		} {
			must(t, step.change())
			eventually(t, 20*time.Second, "the secondary has it", func() bool {
				got, rcode := values(secondary, id)
				return rcode == step.rcode && slices.Equal(got, step.want)
			})
			m, err := resolve(resolver, id)
			if err != nil {
				t.Fatal(err)
			}
			if m.Rcode != step.rcode || !slices.Equal(texts(m), step.want) || m.AuthenticatedData != (secure && m.Rcode == dns.RcodeSuccess) {
				t.Fatalf("challenge %d: %v, want %q, validated: %v", i, m, step.want, secure)
			}
		}
	}
}

// RFC 2308 section 5: NXDOMAIN for a name that has no values yet is not remembered.
func TestRFC2308Section5EarlyQuestion(t *testing.T) {
	port := freePort(t)
	s := startSecondary(t, kinds["nsd"], port)
	p := startPrimary(t, redistest.Start(t), port, newKeys(docSecret), "ns1.example.net="+s.address()+",key=transfer")
	eventually(t, 30*time.Second, "the secondary has the zone", func() bool { return soa(s.address()) != 0 })
	early(t, p, s.address(), unbound(t, s.address(), "domain-insecure: \""+origin+"\""), false)
}

// lags lets a secondary that signs miss a change, because its key is not known any more:
// check says so, although it has serials of its own, and does not before and afterwards.
func lags(t *testing.T, p *primary, k *keys, s *secondary) {
	t.Helper()
	z, err := zone.New(origin)
	must(t, err)
	list, err := z.Secondaries([]string{"ns1.example.net=" + s.address()})
	must(t, err)
	nobody := []string{local(1).String()} // of the delegation nothing is found out
	c := &check.Checker{Zone: z, Secondaries: list, Serial: p.journal.Serial, Resolvers: nobody}
	finding := func() (out check.Finding) {
		for _, f := range c.Delegation(t.Context()) {
			if strings.HasPrefix(f.Check, "secondary") {
				out = f
			}
		}
		return out
	}
	if f := finding(); f.Status != check.OK || !strings.Contains(f.Seen, "the current version of "+origin+", signed") {
		t.Errorf("before: %+v", f)
	}
	k.set(base64.StdEncoding.EncodeToString([]byte("another secret, of 32 octets too")))
	must(t, p.Add(t.Context(), uuid.New(), "missed"))
	if f := finding(); f.Check != "secondary-lags" || !strings.Contains(f.Hint, "ns1.example.net") {
		t.Errorf("while it lags: %+v", f)
	}
	k.set(docSecret)
	eventually(t, 90*time.Second, "it has followed", func() bool { return finding().Status == check.OK })
}

// RFC 4035: a secondary that signs, set up from docs/dnssec.md; what a validating
// resolver gets from it is authentic at every moment.
func TestRFC4035SignedBySecondary(t *testing.T) {
	for _, name := range []string{"knot", "bind"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, k := freePort(t), kinds[name]
			k.Document = "dnssec.md"
			s := startSecondary(t, k, port)
			keys := newKeys(docSecret)
			p := startPrimary(t, redistest.Start(t), port, keys, "ns1.example.net="+s.address()+",key=transfer")
			anchor := dsRecord(t, s.address())
			early(t, p, s.address(), unbound(t, s.address(), fmt.Sprintf("trust-anchor: %q", anchor)), true)
			chain(t, p, s.address(), anchor)
			var took []time.Duration
			id := uuid.New()
			for i := range 30 {
				must(t, p.Add(t.Context(), id, fmt.Sprint(i)))
				took = append(took, awaits(t, s.address(), id, fmt.Sprint(i), 20*time.Second))
			}
			slices.Sort(took)
			t.Logf("%s, which signs: median %v, the slowest %v", k.Heading, took[len(took)/2], took[len(took)-1])
			lags(t, p, keys, s)
		})
	}
}
