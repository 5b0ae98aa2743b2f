package check_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

// Each way in which a domain's records can be wrong has its own name and says
// what to do. $T is the right target.
func TestCNAME(t *testing.T) {
	for _, tc := range []struct {
		name, records string
		domain        string // other than customer.example
		want          string
		status        check.Status
		seen, hint    string // parts of these
	}{
		{name: "right", records: "_acme-challenge CNAME $T.", want: "cname", status: check.OK},
		{name: "right in other letters", records: "_ACME-Challenge CNAME $U.", want: "cname", status: check.OK},
		{name: "right by way of another name", records: "_acme-challenge CNAME a\na CNAME b\nb CNAME $T.", want: "cname", status: check.OK},
		{name: "nothing", want: "cname-missing", status: check.Failed, seen: "nothing",
			hint: "Add the record _acme-challenge.customer.example CNAME $T at the DNS provider of customer.example."},
		{name: "nothing, but a name below", records: "x._acme-challenge A 192.0.2.1", want: "cname-missing", status: check.Failed},
		{name: "nothing, but a wildcard with addresses", records: "* A 192.0.2.1", want: "cname-missing", status: check.Failed},
		{name: "nothing, but a wildcard with text", records: `* TXT "v=spf1 -all"`, want: "cname-missing", status: check.Failed},
		{name: "another target", records: "_acme-challenge CNAME x.elsewhere.example.", want: "cname-elsewhere", status: check.Failed,
			seen: "CNAME x.elsewhere.example", hint: "Replace the CNAME by the record _acme-challenge.customer.example CNAME $T."},
		{name: "a target with our zone's letters", records: "_acme-challenge CNAME xacme.example.com.", want: "cname-elsewhere", status: check.Failed},
		{name: "another target, whose servers do not work", records: "_acme-challenge CNAME x.broken.example.", want: "cname-unknown", status: check.Unknown,
			seen: "CNAME x.broken.example, where resolver", hint: "Replace the CNAME by the record"},
		{name: "of a namespace we know", records: "_acme-challenge CNAME $A.", want: "cname-other-scope", status: check.Failed, hint: "namespace team-a"},
		{name: "of one we do not know", records: "_acme-challenge CNAME 01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com.",
			want: "cname-other-scope", status: check.Failed, hint: "another namespace or domain"},
		{name: "the zone itself", records: "_acme-challenge CNAME acme.example.com.", want: "cname-other-scope", status: check.Failed, hint: "no namespace at all"},
		{name: "name twice", records: "_acme-challenge.customer.example CNAME $T.", want: "cname-name-doubled", status: check.Failed,
			seen: "_acme-challenge.customer.example.customer.example", hint: `Type only "_acme-challenge" as the record's name`},
		{name: "name twice, below", domain: "shop.customer.example", records: "_acme-challenge.shop.customer.example CNAME $T.",
			want: "cname-name-doubled", status: check.Failed, hint: `Type only "_acme-challenge.shop" as`},
		{name: "value twice", records: "_acme-challenge CNAME $T", want: "cname-value-doubled", status: check.Failed, hint: "Write a dot at the end"},
		{name: "one name too high", domain: "shop.customer.example", records: "_acme-challenge CNAME $T.",
			want: "cname-misplaced", status: check.Failed, hint: "Rename the record at _acme-challenge.customer.example, so"},
		{name: "text instead", records: "_acme-challenge TXT abc", want: "cname-is-txt", status: check.Failed, hint: "Delete the TXT record"},
		{name: "proxied", records: "_acme-challenge A 192.0.2.1", want: "cname-proxied", status: check.Failed, seen: "192.0.2.1", hint: "proxy off"},
		{name: "proxied, IPv6 only", records: "_acme-challenge AAAA 2001:db8::1", want: "cname-proxied", status: check.Failed, seen: "2001:db8::1"},
		{name: "wildcard", records: "* CNAME www", want: "cname-wildcard", status: check.Failed, seen: "*.customer.example", hint: "goes before the wildcard"},
		{name: "loop", records: "_acme-challenge CNAME a\na CNAME b\nb CNAME a", want: "cname-loop", status: check.Failed, seen: "loop"},
		{name: "itself", records: "_acme-challenge CNAME _acme-challenge", want: "cname-loop", status: check.Failed},
		{name: "two", records: "_acme-challenge CNAME $T.\n_acme-challenge CNAME x.elsewhere.example.", want: "cname-two", status: check.Failed, seen: "2 CNAMEs", hint: "but one"},
		{name: "two on the way", records: "_acme-challenge CNAME a\na CNAME $T.\na CNAME x.elsewhere.example.", want: "cname-two", status: check.Failed, seen: "at a.customer.example"},
		{name: "the same twice, in other letters", records: "_acme-challenge CNAME $T.\n_acme-challenge CNAME $U.", want: "cname", status: check.OK},
		{name: "too many", records: "_acme-challenge CNAME n1\nn1 CNAME n2\nn2 CNAME n3\nn3 CNAME n4\nn4 CNAME n5\nn5 CNAME n6\nn6 CNAME n7\nn7 CNAME n8\nn8 CNAME n9\nn9 CNAME $T.",
			want: "cname-loop", status: check.Failed, seen: "more than 8"},
		{name: "a zone of its own", records: "_acme-challenge NS ns1", want: "challenge-delegated", status: check.Failed, seen: "NS ns1.customer.example"},
		{name: "a public suffix", domain: "*.co.uk", want: "domain-public-suffix", status: check.Failed, seen: "public suffix"},
		{name: "a top-level domain", domain: "example", want: "domain-public-suffix", status: check.Failed},
		{name: "our zone", domain: "*.acme.example.com", want: "domain-own-zone", status: check.Failed, seen: "Signpost itself serves"},
		{name: "no name", domain: "a b.example", want: "domain-invalid", status: check.Failed, seen: "character"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Namespaces = func() []string { return []string{"team-b", "team-a"} }
			if tc.domain == "" {
				tc.domain = domain
			}
			right, err := w.Zone.Target(scope, tc.domain)
			target := right.Name
			if err != nil {
				target = "none"
			}
			other, _ := w.Zone.Target("team-a", domain)
			r := strings.NewReplacer("$T", target, "$U", strings.ToUpper(target), "$A", other.Name)
			w.setDomain(r.Replace(tc.records))
			if strings.HasPrefix(tc.name, "a zone of its own") {
				w.Serve("_acme-challenge."+domain, "@ NS ns1."+domain+".", domainServer, domainServer2)
			}
			got := w.CNAME(context.Background(), scope, tc.domain)
			if got.Check != tc.want || got.Status != tc.status {
				t.Fatalf("got %+v, want %s %s", got, tc.want, tc.status)
			}
			if !strings.Contains(got.Seen, tc.seen) || !strings.Contains(got.Hint, r.Replace(tc.hint)) {
				t.Errorf("got %+v, want seen %q and hint %q in it", got, tc.seen, tc.hint)
			}
			if (got.Status == check.OK) != (got.Hint == "") {
				t.Errorf("got %+v: a hint where nothing is to be done, or none where something is", got)
			}
			if again := w.CNAME(context.Background(), scope, tc.domain); again != got {
				t.Errorf("got %+v, and then %+v", got, again)
			}
			look := w.Look(context.Background(), scope, tc.domain)
			if look != got && got.Status != check.Unknown || look.Check != got.Check || look.Status != got.Status {
				t.Errorf("Look = %+v, want %+v", look, got)
			}
			results := w.Domain(context.Background(), scope, tc.domain, nil)
			agree(t, results)
			if results[0] != look || tc.status == check.OK && len(results) != 1 {
				t.Errorf("Domain = %+v, want %+v first, and nothing else that is wrong", results, look)
			}
		})
	}
}

// A resolver that does not tell is named; it is never taken for a "no".
func TestResolverDoesNotTell(t *testing.T) {
	for name, tc := range map[string]struct {
		hook dnstest.Hook
		want string
	}{
		"silent":   {dnstest.Silent, "did not answer"},
		"servfail": {dnstest.Fails(dns.RcodeServerFailure), "answered SERVFAIL for _acme-challenge.customer.example CNAME"},
		"refused":  {dnstest.Fails(dns.RcodeRefused), "answered REFUSED"},
		"liar": {func(q *dns.Msg, _ string) (*dns.Msg, bool) {
			m := dnstest.Reply(q)
			m.Question[0].Name = "www.example."
			return m, true
		}, "answered another question"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Timeout = 200 * time.Millisecond
			w.Hook(resolver, tc.hook)
			got := w.CNAME(context.Background(), scope, domain)
			if got.Check != "cname-unknown" || got.Status != check.Unknown || !strings.Contains(got.Hint, "--resolver") {
				t.Errorf("got %+v", got)
			}
			if want := "resolver " + w.Addr(resolver) + " " + tc.want; !strings.Contains(got.Seen, want) {
				t.Errorf("seen %q, want %q in it", got.Seen, want)
			}
			if again := w.CNAME(context.Background(), scope, domain); again != got {
				t.Errorf("got %+v, and then %+v", got, again)
			}

			// The switch that the hint names works.
			w.setDomain("_acme-challenge CNAME " + w.target + ".")
			other := &check.Checker{Zone: w.Zone, Resolvers: append(w.Resolvers, w.Resolver("127.53.0.54")), Timeout: w.Timeout}
			if got := other.CNAME(context.Background(), scope, domain); got.Status != check.OK {
				t.Errorf("with a second resolver: %+v", got)
			}
		})
	}
}

// A dead resolver in front of a good one costs one timeout, not the answer.
func TestFirstResolverIsDead(t *testing.T) {
	w := newWorld(t)
	w.setDomain("_acme-challenge CNAME " + w.target + ".")
	w.Hook(resolver, dnstest.Silent)
	w.Resolvers = append(w.Resolvers, w.Resolver("127.53.0.54"))
	w.Timeout = time.Second
	start := time.Now()
	if got := w.CNAME(context.Background(), scope, domain); got.Status != check.OK {
		t.Errorf("got %+v", got)
	}
	if took := time.Since(start); took < w.Timeout || took > 2*w.Timeout {
		t.Errorf("took %v", took)
	}
}

// An answer that is cut is asked for again over TCP.
func TestTruncated(t *testing.T) {
	w := newWorld(t)
	w.setDomain("_acme-challenge CNAME " + w.target + ".")
	w.Hook(resolver, func(q *dns.Msg, network string) (*dns.Msg, bool) {
		m := dnstest.Reply(q)
		m.Truncated = true
		return m, network == "udp"
	})
	if got := w.CNAME(context.Background(), scope, domain); got.Status != check.OK {
		t.Errorf("got %+v", got)
	}
}

func TestResolverThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.Resolvers = []string{w.Addr("127.53.0.99")}
	got := w.CNAME(context.Background(), scope, domain)
	if got.Status != check.Unknown || !strings.Contains(got.Seen, "connection refused") {
		t.Errorf("got %+v", got)
	}
}
