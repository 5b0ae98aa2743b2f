package check_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

// What a resolver does not show.
func TestDomain(t *testing.T) {
	right := func(w *world) string { return "_acme-challenge CNAME " + w.target + ".\n" }
	for _, tc := range []struct {
		name  string
		wrong func(w *world)
		want  []string // all that is not OK
		hint  string   // part of the last one's
	}{
		{"all right", func(w *world) { w.setDomain(right(w)) }, nil, ""},
		{"text beside", func(w *world) { w.setDomain(right(w) + "_acme-challenge TXT abc") }, []string{"txt-beside"}, "Delete the TXT record"},
		{"text beside, unseen by the resolver", func(w *world) {
			w.setDomain(right(w) + "_acme-challenge TXT abc")
			w.Hook(resolver, without(w, dns.TypeTXT))
		}, []string{"txt-beside"}, "Delete the TXT record"},
		{"the second server lags behind", func(w *world) {
			w.setDomain(right(w))
			w.Serve(domain, domainZone, domainServer2)
			w.Hook(resolver, remembered(w, right(w)))
		}, []string{"authoritative-differ"}, "all the domain's DNS servers"},
		{"only remembered", func(w *world) {
			w.Hook(resolver, remembered(w, right(w)))
		}, []string{"cname-missing"}, "Add the record"},
		{"not seen yet", func(w *world) {
			w.setDomain(right(w))
			w.Hook(resolver, remembered(w, ""))
		}, []string{"cname-cached"}, "Wait for 5 minutes at most"},
		{"an old one still seen", func(w *world) {
			w.setDomain(right(w))
			w.Hook(resolver, remembered(w, "_acme-challenge 3000 CNAME x.elsewhere.example."))
		}, []string{"cname-cached"}, "Wait for an hour at most"},
		{"bogus", func(w *world) {
			w.setDomain(right(w))
			w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				m := dnstest.Reply(q)
				m.Rcode = dns.RcodeServerFailure
				return m, !q.CheckingDisabled
			})
		}, []string{"dnssec-bogus"}, "DS record"},
		{"delegated to a server that is not there", func(w *world) {
			w.setDomain("_acme-challenge NS old.elsewhere.example.")
			w.Hook(resolver, remembered(w, ""))
		}, []string{"challenge-delegated"}, "Delete the NS records at _acme-challenge.customer.example"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.wrong(w)
			got := w.Domain(context.Background(), scope, domain, check.CA{})
			agree(t, got)
			if !slices.Equal(bad(got), tc.want) {
				t.Fatalf("got %+v, want %q", got, tc.want)
			}
			if last := got[len(got)-1]; !strings.Contains(last.Hint, tc.hint) {
				t.Errorf("hint %q, want %q in it", last.Hint, tc.hint)
			}
			if again := w.Domain(context.Background(), scope, domain, check.CA{}); !slices.Equal(again, got) {
				t.Errorf("got %+v, and then %+v", got, again)
			}
		})
	}
}

// remembered is a resolver that has the domain's old zone in its cache.
func remembered(w *world, records string) dnstest.Hook {
	const cache = "127.53.0.40"
	w.Serve(domain, domainZone+records, cache)
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		if !strings.HasPrefix(q.Question[0].Name, "_acme-challenge.") {
			return nil, false
		}
		m, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, w.Addr(cache))
		return m, err == nil
	}
}

// without is a resolver that follows a CNAME rather than say what is beside it.
func without(w *world, qtype uint16) dnstest.Hook {
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		m := dnstest.Reply(q)
		return m, q.Question[0].Qtype == qtype
	}
}

func TestCAAUnknown(t *testing.T) {
	w := newWorld(t)
	w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		m := dnstest.Reply(q)
		m.Rcode = dns.RcodeServerFailure
		return m, q.Question[0].Qtype == dns.TypeCAA
	})
	r := get(t, w.Domain(context.Background(), scope, domain, check.CA{Identities: []string{"letsencrypt.org"}}), "caa-unknown")
	if r.Status != check.Unknown || !strings.Contains(r.Seen, "SERVFAIL") {
		t.Errorf("got %+v", r)
	}
}
