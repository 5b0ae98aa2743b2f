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
			got := w.Domain(context.Background(), scope, domain, nil)
			agree(t, got)
			if !slices.Equal(bad(got), tc.want) {
				t.Fatalf("got %+v, want %q", got, tc.want)
			}
			if last := got[len(got)-1]; !strings.Contains(last.Hint, tc.hint) {
				t.Errorf("hint %q, want %q in it", last.Hint, tc.hint)
			}
			if again := w.Domain(context.Background(), scope, domain, nil); !slices.Equal(again, got) {
				t.Errorf("got %+v, and then %+v", got, again)
			}
		})
	}
}

// remembered is a resolver that still has what the domain's zone was before.
func remembered(w *world, records string) dnstest.Hook {
	const cache = "127.53.0.40"
	w.Serve(domain, domainZone+records, cache)
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		if !strings.HasPrefix(q.Question[0].Name, "_acme-challenge.") {
			return nil, false
		}
		m, _, err := (&dns.Client{Timeout: time.Second}).Exchange(q, w.Addr(cache))
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

func TestCAA(t *testing.T) {
	letsencrypt := []string{"letsencrypt.org"}
	for _, tc := range []struct {
		name, records, domain string
		ca                    []string
		want                  string
		status                check.Status
		text                  string // in Seen or Hint
	}{
		{"nobody asks", `@ CAA 0 issue "other.example"`, domain, nil, "", "", ""},
		{"none", "", domain, letsencrypt, "caa", check.OK, "no CAA"},
		{"named", `@ CAA 0 issue "letsencrypt.org"`, domain, letsencrypt, "caa", check.OK, ""},
		{"one of several", "@ CAA 0 issue \"other.example\"\n@ CAA 0 issue \"LetsEncrypt.org; accounturi=https://x.example/1\"", domain, letsencrypt, "caa", check.OK, ""},
		{"another", `@ CAA 0 issue "other.example"`, domain, letsencrypt, "caa-forbids", check.Failed, `Add the record customer.example CAA 0 issue "letsencrypt.org".`},
		{"nobody", `@ CAA 0 issue ";"`, domain, letsencrypt, "caa-forbids", check.Failed, ""},
		{"inherited", `@ CAA 0 issue "other.example"`, "a.b." + domain, letsencrypt, "caa-forbids", check.Failed, "at customer.example"},
		{"the nearest counts", "@ CAA 0 issue \"other.example\"\nb CAA 0 issue \"letsencrypt.org\"", "a.b." + domain, letsencrypt, "caa", check.OK, ""},
		{"wildcards have their own", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 issuewild \";\"", "*." + domain, letsencrypt, "caa-forbids", check.Failed, "issuewild"},
		{"which does not count for the name", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 0 issuewild \";\"", domain, letsencrypt, "caa", check.OK, ""},
		{"issue counts for wildcards", `@ CAA 0 issue "other.example"`, "*." + domain, letsencrypt, "caa-forbids", check.Failed, ""},
		{"only where to complain", `@ CAA 0 iodef "mailto:a@customer.example"`, domain, letsencrypt, "caa", check.OK, ""},
		{"critical and unknown", "@ CAA 0 issue \"letsencrypt.org\"\n@ CAA 128 tbs \"x\"", domain, letsencrypt, "caa-forbids", check.Failed, `tag "tbs"`},
		{"another method", `@ CAA 0 issue "letsencrypt.org; validationmethods=http-01"`, domain, letsencrypt, "caa-forbids", check.Failed, ""},
		{"this method", `@ CAA 0 issue "letsencrypt.org; validationmethods=http-01,dns-01"`, domain, letsencrypt, "caa", check.OK, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setDomain(tc.records)
			got := w.Domain(context.Background(), scope, tc.domain, tc.ca)
			agree(t, got)
			if tc.want == "" {
				if len(got) != 1 {
					t.Errorf("got %+v", got)
				}
				return
			}
			r := get(t, got, tc.want)
			if r.Status != tc.status || !strings.Contains(r.Seen+r.Hint, tc.text) {
				t.Errorf("got %+v, want %s and %q in it", r, tc.status, tc.text)
			}
		})
	}
}

func TestCAAUnknown(t *testing.T) {
	w := newWorld(t)
	w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		m := dnstest.Reply(q)
		m.Rcode = dns.RcodeServerFailure
		return m, q.Question[0].Qtype == dns.TypeCAA
	})
	r := get(t, w.Domain(context.Background(), scope, domain, []string{"letsencrypt.org"}), "caa-unknown")
	if r.Status != check.Unknown || !strings.Contains(r.Seen, "SERVFAIL") {
		t.Errorf("got %+v", r)
	}
}
