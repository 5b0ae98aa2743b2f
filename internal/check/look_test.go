package check_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
)

const (
	otherServer  = "127.53.0.33" // serves whatever else a test needs
	otherServer2 = "127.53.0.34"
)

// One wrong world per case. $T is the right target; unless the case says otherwise
// both servers have the right record, and nothing else is wrong.
func TestLook(t *testing.T) {
	const right = "_acme-challenge CNAME $T."
	tcpSilent := func(_ *dns.Msg, network string) (*dns.Msg, bool) { return nil, network == "tcp" }
	for _, tc := range []struct {
		name    string
		records string // "-" for none
		wrong   func(w *world)
		want    string
		status  check.Status
		text    string // part of what was seen, or the hint
	}{
		{name: "right", want: "cname", status: check.OK},
		{name: "a wildcard that leads to the target", records: "* CNAME $T.", want: "cname", status: check.OK},
		{name: "the resolver remembers for an hour that there is nothing", want: "cname", status: check.OK,
			wrong: func(w *world) { w.Hook(resolver, remembered(w, "")) }},
		{name: "the resolver remembers where it led before", want: "cname", status: check.OK,
			wrong: func(w *world) { w.Hook(resolver, remembered(w, "_acme-challenge CNAME x.elsewhere.example.")) }},
		{name: "moved, and the resolver remembers the right one", records: "_acme-challenge CNAME x.elsewhere.example.",
			wrong: func(w *world) { w.Hook(resolver, remembered(w, w.right())) }, want: "cname-elsewhere", status: check.Failed},
		{name: "deleted, and the resolver remembers it", records: "-",
			wrong: func(w *world) { w.Hook(resolver, remembered(w, w.right())) }, want: "cname-missing", status: check.Failed, text: "Add the record"},

		{name: "half copied: NXDOMAIN", wrong: func(w *world) { w.Serve(domain, domainZone, domainServer2) },
			want: "authoritative-differ", status: check.Failed, text: "not so at ns2.customer.example (127.53.0.31)"},
		{name: "half copied: NODATA", wrong: func(w *world) { w.Serve(domain, domainZone+"x._acme-challenge A 192.0.2.1", domainServer2) },
			want: "authoritative-differ", status: check.Failed, text: "ns2.customer.example"},
		{name: "half copied: another CNAME", wrong: func(w *world) { w.Serve(domain, domainZone+"_acme-challenge CNAME x.elsewhere.example.", domainServer) },
			want: "authoritative-differ", status: check.Failed, text: "ns1.customer.example"},
		{name: "half copied: another CNAME whose servers are silent", wrong: func(w *world) { w.Serve(domain, domainZone+"_acme-challenge CNAME x.broken.example.", domainServer) },
			want: "authoritative-differ", status: check.Failed, text: "ns1.customer.example"},
		{name: "half copied: another target", wrong: func(w *world) {
			other, _ := w.Zone.Target("team-a", domain)
			w.Serve(domain, domainZone+"_acme-challenge CNAME "+other.Name+".", domainServer2)
		}, want: "authoritative-differ", status: check.Failed, text: "ns2.customer.example"},
		{name: "one of a server's addresses lags behind", wrong: func(w *world) {
			w.Serve(".", rootZone+"ns2.customer.example. A "+otherServer, dnstest.RootServer)
			w.Serve(domain, domainZone, otherServer)
		}, want: "authoritative-differ", status: check.Failed, text: "not so at ns2.customer.example (127.53.0.33)"},
		{name: "all addresses have it", wrong: func(w *world) {
			w.Serve(".", rootZone+"ns2.customer.example. A "+otherServer, dnstest.RootServer)
			w.Serve(domain, domainZone+w.right(), otherServer)
		}, want: "cname", status: check.OK},
		{name: "a server that only the zone itself names lags behind", wrong: func(w *world) {
			w.Serve(domain, domainZone+w.right()+"@ NS ns3\nns3 A "+otherServer, domainServer, domainServer2)
			w.Serve(domain, domainZone, otherServer)
		}, want: "authoritative-differ", status: check.Failed, text: "ns3.customer.example (127.53.0.33)"},

		{name: "the domain has moved, the resolver remembers the old servers, which have it", records: right,
			wrong: func(w *world) { w.move(""); w.Hook(resolver, w.oldServers()) }, want: "cname-missing", status: check.Failed},
		{name: "the domain has moved, the resolver remembers the old servers, which do not have it", records: "-",
			wrong: func(w *world) { w.move(w.right()); w.Hook(resolver, w.oldServers()) }, want: "cname", status: check.OK},
		{name: "no longer delegated", wrong: func(w *world) {
			w.Serve(".", strings.ReplaceAll(rootZone, "\ncustomer.example. NS", "\nelse.example. NS"), dnstest.RootServer)
			w.Hook(resolver, w.oldServers())
		}, want: "cname-missing", status: check.Failed},
		{name: "glue, and a resolver that cannot resolve the nameservers", wrong: func(w *world) {
			w.Hook(resolver, func(q *dns.Msg, network string) (*dns.Msg, bool) {
				if strings.HasPrefix(q.Question[0].Name, "ns1.") || strings.HasPrefix(q.Question[0].Name, "ns2.") {
					return dnstest.Fails(dns.RcodeServerFailure)(q, network)
				}
				return nil, false
			})
		}, want: "cname", status: check.OK},
		{name: "nameservers in another zone", wrong: func(w *world) {
			w.Serve(".", strings.ReplaceAll(rootZone, "customer.example. NS ns1", "customer.example. NS ns3.example.com.\nelse.example. NS ns1"), dnstest.RootServer)
			w.Serve("example.com", parentZone+"ns3 A "+otherServer, parentServer)
			w.Serve(domain, domainZone+w.right(), otherServer)
		}, want: "cname", status: check.OK},
		{name: "a sub-domain is a zone of its own", wrong: func(w *world) {
			w.setDomain("_acme-challenge.shop CNAME x.elsewhere.example.\nshop NS ns.shop\nns.shop A " + otherServer)
			t, _ := w.Zone.Target(scope, "shop."+domain)
			w.Serve("shop."+domain, "@ NS ns\n_acme-challenge CNAME "+t.Name+".", otherServer)
		}, want: "cname", status: check.OK},
		{name: "one server has parent and child, and another child is beside", wrong: func(w *world) {
			t, _ := w.Zone.Target(scope, "shop."+domain)
			w.setDomain("shop NS ns1\nshop NS ns.shop\nns.shop A " + otherServer)
			w.Serve("shop."+domain, "@ NS ns1."+domain+".\n@ NS ns\nns A "+otherServer+"\n_acme-challenge CNAME "+t.Name+".", domainServer, domainServer2)
			w.Serve("shop."+domain, "@ NS ns", otherServer)
		}, want: "authoritative-differ", status: check.Failed, text: "ns.shop.customer.example (127.53.0.33)"},

		{name: "a deep sub-domain, and a server that only the zone itself names lags behind", wrong: func(w *world) {
			t, _ := w.Zone.Target(scope, "shop.a.b.c.d.e."+domain)
			w.Serve(domain, domainZone+t.Challenge+". CNAME "+t.Name+".\n@ NS ns3\nns3 A "+otherServer, domainServer, domainServer2)
			w.Serve(domain, domainZone, otherServer)
		}, want: "authoritative-differ", status: check.Failed, text: "ns3.customer.example (127.53.0.33)"},
		{name: "over another zone", records: "_acme-challenge CNAME a.elsewhere.example.", wrong: func(w *world) { w.elsewhere("a CNAME "+w.target+".", "") },
			want: "cname", status: check.OK},
		{name: "over another zone, half copied", records: "_acme-challenge CNAME a.elsewhere.example.",
			wrong: func(w *world) { w.elsewhere("a CNAME "+w.target+".", "a CNAME b") }, want: "authoritative-differ", status: check.Failed,
			text: "not so at ns2.elsewhere.example (127.53.0.34)"},
		{name: "over another zone, with a text beside", records: "_acme-challenge CNAME a.elsewhere.example.",
			wrong: func(w *world) { w.elsewhere("a TXT abc\na CNAME "+w.target+".", "") }, want: "txt-beside", status: check.Failed, text: "at a.elsewhere.example"},
		{name: "over another zone, whose servers are silent", records: "_acme-challenge CNAME a.elsewhere.example.", wrong: func(w *world) {
			w.elsewhere("a CNAME "+w.target+".", "")
			w.Hook(otherServer, dnstest.Silent)
			w.Hook(otherServer2, dnstest.Silent)
		}, want: "cname-unknown", status: check.Unknown, text: "CNAME a.elsewhere.example, where ns1.elsewhere.example (127.53.0.33) did not answer; ns2"},
		{name: "a loop over another zone", records: "_acme-challenge CNAME a.elsewhere.example.",
			wrong: func(w *world) { w.elsewhere("a CNAME _acme-challenge."+domain+".", "") }, want: "cname-loop", status: check.Failed},

		{name: "text beside", records: right + "\n_acme-challenge TXT abc", want: "txt-beside", status: check.Failed, text: "Delete the TXT record"},
		{name: "text beside, and asked for TXT a server shows it alone", wrong: func(w *world) {
			w.Hook(domainServer2, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				m := answer(q, "_acme-challenge.customer.example. TXT abc")
				return m, q.Question[0].Qtype == dns.TypeTXT
			})
		}, want: "txt-beside", status: check.Failed},
		{name: "asked for TXT, a server shows nothing", wrong: func(w *world) {
			w.Hook(domainServer2, func(q *dns.Msg, _ string) (*dns.Msg, bool) { return answer(q, ""), q.Question[0].Qtype == dns.TypeTXT })
		}, want: "authoritative-differ", status: check.Failed, text: "ns2"},
		{name: "two CNAMEs in changing order", records: right + "\n_acme-challenge CNAME x.elsewhere.example.",
			wrong: func(w *world) { w.Hook(domainServer, w.inChangingOrder()) }, want: "cname-two", status: check.Failed, text: "2 CNAMEs at _acme-challenge.customer.example: 7f9d17d3"},
		{name: "two CNAMEs, shown in turn", wrong: func(w *world) {
			w.Hook(domainServer, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				if q.Question[0].Qtype == dns.TypeTXT {
					return answer(q, "_acme-challenge.customer.example. CNAME x.elsewhere.example."), true
				}
				return nil, false
			})
		}, want: "cname-two", status: check.Failed},
		{name: "a zone cut at one server", wrong: func(w *world) {
			w.Serve(domain, domainZone+"_acme-challenge NS old.elsewhere.example.", domainServer2)
		}, want: "challenge-delegated", status: check.Failed, text: "old.elsewhere.example"},

		{name: "one is dead", wrong: func(w *world) { w.Hook(domainServer, dnstest.Silent) }, want: "cname", status: check.OK},
		{name: "one says REFUSED", wrong: func(w *world) { w.Hook(domainServer, dnstest.Fails(dns.RcodeRefused)) }, want: "cname", status: check.OK},
		{name: "one says SERVFAIL", wrong: func(w *world) { w.Hook(domainServer2, dnstest.Fails(dns.RcodeServerFailure)) }, want: "cname", status: check.OK},
		{name: "one is not authoritative", wrong: func(w *world) {
			w.Hook(domainServer2, func(q *dns.Msg, _ string) (*dns.Msg, bool) { return dnstest.Reply(q), true })
		}, want: "cname", status: check.OK},
		{name: "one refers to the root", wrong: func(w *world) {
			w.Hook(domainServer2, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				m := dnstest.Reply(q)
				m.Ns = answer(q, ". NS ns.").Answer
				return m, true
			})
		}, want: "cname", status: check.OK},
		{name: "one is dead, and the other has nothing", records: "-", wrong: func(w *world) { w.Hook(domainServer, dnstest.Silent) }, want: "cname-missing", status: check.Failed},
		{name: "one lags behind, the other is not authoritative", wrong: func(w *world) {
			w.Serve(domain, domainZone, domainServer)
			w.Hook(domainServer2, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				m := answer(q, "_acme-challenge.customer.example. CNAME "+w.target+".")
				m.Authoritative = false
				return m, true
			})
		}, want: "cname-missing", status: check.Failed},
		{name: "all are dead", wrong: func(w *world) { w.Hook(domainServer, dnstest.Silent); w.Hook(domainServer2, dnstest.Silent) },
			want: "cname-unknown", status: check.Unknown, text: "ns1.customer.example (127.53.0.30) did not answer; ns2.customer.example (127.53.0.31) did not answer"},
		{name: "all are lame", wrong: func(w *world) {
			w.Hook(domainServer, dnstest.Fails(dns.RcodeRefused))
			w.Hook(domainServer2, dnstest.Fails(dns.RcodeServerFailure))
		}, want: "cname-unknown", status: check.Unknown, text: "answered REFUSED"},
		{name: "the registry is dead", wrong: func(w *world) { w.Hook(dnstest.RootServer, tcpSilent) }, want: "cname-unknown", status: check.Unknown, text: "ns (127.53.0.1) did not answer"},

		{name: "answers in other letters", wrong: func(w *world) {
			for _, s := range []string{domainServer, domainServer2} {
				w.Hook(s, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
					return answer(q, "_ACME-Challenge.CUSTOMER.Example. CNAME "+strings.ToUpper(w.target)+"."), strings.HasPrefix(q.Question[0].Name, "_acme")
				})
			}
		}, want: "cname", status: check.OK},
		{name: "forged over UDP: right", records: "-", wrong: func(w *world) { w.forge(w.right()) }, want: "cname-missing", status: check.Failed},
		{name: "forged over UDP: wrong", wrong: func(w *world) { w.forge("") }, want: "cname", status: check.OK},

		{name: "bogus", wrong: func(w *world) { w.Hook(resolver, bogusAt("_acme-challenge.")) }, want: "dnssec-bogus", status: check.Failed,
			text: "SERVFAIL for _acme-challenge.customer.example CNAME, but not with DNSSEC validation off"},
		{name: "bogus, and all names with it", wrong: func(w *world) { w.Hook(resolver, bogusAt("")) }, want: "dnssec-bogus", status: check.Failed},
		{name: "bogus on the way", records: "_acme-challenge CNAME a.elsewhere.example.", wrong: func(w *world) {
			w.elsewhere("a CNAME "+w.target+".", "")
			w.Hook(resolver, bogusAt("a.elsewhere."))
		}, want: "dnssec-bogus", status: check.Failed, text: "a.elsewhere.example"},
		{name: "the resolver fails without validation too", wrong: func(w *world) {
			w.Hook(resolver, func(q *dns.Msg, network string) (*dns.Msg, bool) {
				m, _ := dnstest.Fails(dns.RcodeServerFailure)(q, network)
				return m, strings.HasPrefix(q.Question[0].Name, "_acme-challenge.")
			})
		}, want: "cname", status: check.OK},
		{name: "the resolver is silent about the name", wrong: func(w *world) {
			w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				return nil, strings.HasPrefix(q.Question[0].Name, "_acme-challenge.")
			})
		}, want: "cname", status: check.OK},
		{name: "the resolver fails once", wrong: func(w *world) {
			var n atomic.Int32
			w.Hook(resolver, func(q *dns.Msg, network string) (*dns.Msg, bool) {
				m, _ := dnstest.Fails(dns.RcodeServerFailure)(q, network)
				return m, strings.HasPrefix(q.Question[0].Name, "_acme-challenge.") && n.Add(1)%3 == 1
			})
		}, want: "cname", status: check.OK},

		{name: "only a resolver can be reached", wrong: func(w *world) { w.onlyResolver(tcpSilent) }, want: "cname-unknown", status: check.Unknown, text: "over TCP"},
		{name: "only a resolver, and that is enough", wrong: func(w *world) { w.onlyResolver(tcpSilent); w.ResolverOnly = true }, want: "cname", status: check.OK},
		{name: "only a resolver, which remembers nothing", wrong: func(w *world) { w.ResolverOnly = true; w.Hook(resolver, remembered(w, "")) },
			want: "cname-missing", status: check.Failed},
		{name: "only a resolver, and a text beside", records: right + "\n_acme-challenge TXT abc", wrong: func(w *world) { w.ResolverOnly = true }, want: "txt-beside", status: check.Failed},
		{name: "only a resolver, bogus", wrong: func(w *world) { w.ResolverOnly = true; w.Hook(resolver, bogusAt("")) }, want: "dnssec-bogus", status: check.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Timeout = time.Second
			if strings.Contains(tc.name, "dead") || strings.Contains(tc.name, "silent") || strings.Contains(tc.name, "only a resolver") {
				w.Timeout = 400 * time.Millisecond
			}
			records := strings.ReplaceAll(tc.records, "$T", w.target)
			switch records {
			case "":
				records = w.right()
			case "-":
				records = ""
			}
			w.setDomain(records)
			if tc.wrong != nil {
				tc.wrong(w)
			}
			name := domain
			if strings.Contains(tc.name, "sub-domain") || strings.Contains(tc.name, "child") {
				name = "shop." + domain
			}
			if strings.Contains(tc.name, "deep") {
				name = "shop.a.b.c.d.e." + domain
			}
			got := w.Look(context.Background(), scope, name)
			if got.Check != tc.want || got.Status != tc.status || !strings.Contains(got.Seen+" "+got.Hint, tc.text) {
				t.Fatalf("got %+v, want %s %s with %q", got, tc.want, tc.status, tc.text)
			}
			if got.Status != check.OK && got.Check != "cname-unknown" && !strings.Contains(got.Hint, "CNAME") {
				t.Errorf("hint %q does not name the record", got.Hint)
			}
			if again := w.Look(context.Background(), scope, name); again != got {
				t.Errorf("got %+v, and then %+v", got, again)
			}
			results := w.Domain(context.Background(), scope, name, check.CA{})
			if results[0] != got {
				t.Errorf("Domain = %+v, want %+v first", results, got)
			}
			agree(t, results)
		})
	}
}

// right is the domain's right record.
func (w *world) right() string { return "_acme-challenge CNAME " + w.target + ".\n" }

// elsewhere has two servers of its own serve elsewhere.example, the second with other
// records unless they are empty.
func (w *world) elsewhere(records, second string) {
	const own = "@ NS ns1\n@ NS ns2\nns1 A " + otherServer + "\nns2 A " + otherServer2 + "\n"
	w.Serve(".", strings.ReplaceAll(rootZone, "elsewhere.example. NS ns1.customer.example.", `
elsewhere.example. NS ns1.elsewhere.example.
elsewhere.example. NS ns2.elsewhere.example.
ns1.elsewhere.example. A 127.53.0.33
ns2.elsewhere.example. A 127.53.0.34`), dnstest.RootServer)
	if second == "" {
		second = records
	}
	w.Serve("elsewhere.example", own+records, otherServer)
	w.Serve("elsewhere.example", own+second, otherServer2)
}

// move has the domain served elsewhere, with these records; the old servers stay.
func (w *world) move(records string) {
	w.Serve(".", strings.ReplaceAll(rootZone, "A 127.53.0.3", "A 127.53.0.13"), dnstest.RootServer)
	w.Serve(domain, strings.ReplaceAll(domainZone, "A 127.53.0.3", "A 127.53.0.13")+records, "127.53.0.130", "127.53.0.131")
}

// oldServers is a resolver whose cache has the domain as it was.
func (w *world) oldServers() dnstest.Hook {
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		if !strings.HasSuffix(q.Question[0].Name, domain+".") {
			return nil, false
		}
		m, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, w.Addr(domainServer))
		return m, err == nil
	}
}

// forge has everybody answer over UDP as if the domain had these records.
func (w *world) forge(records string) {
	const forger = "127.53.0.66"
	w.Serve(domain, domainZone+records, forger)
	for _, s := range []string{domainServer, domainServer2, dnstest.RootServer} {
		w.Hook(s, func(q *dns.Msg, network string) (*dns.Msg, bool) {
			if network == "tcp" || !strings.HasSuffix(q.Question[0].Name, domain+".") {
				return nil, false
			}
			m, _, err := (&dns.Client{Timeout: 5 * time.Second, Net: "tcp"}).Exchange(q, w.Addr(forger))
			return m, err == nil
		})
	}
}

// onlyResolver has a hook in front of everybody but the resolver.
func (w *world) onlyResolver(hook dnstest.Hook) {
	for _, s := range []string{domainServer, domainServer2, dnstest.RootServer} {
		w.Hook(s, hook)
	}
}

// inChangingOrder turns the answer of the domain's first server round each second time.
func (w *world) inChangingOrder() dnstest.Hook {
	var n atomic.Int32
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		m := answer(q, "_acme-challenge.customer.example. CNAME "+w.target+".", "_acme-challenge.customer.example. CNAME x.elsewhere.example.")
		if n.Add(1)%2 == 0 {
			m.Answer[0], m.Answer[1] = m.Answer[1], m.Answer[0]
		}
		return m, strings.HasPrefix(q.Question[0].Name, "_acme")
	}
}

// answer is an authoritative answer with these records, or none.
func answer(q *dns.Msg, records ...string) *dns.Msg {
	m := dnstest.Reply(q)
	m.Authoritative = true
	for _, text := range records {
		if rr, err := dns.NewRR(text); err == nil && rr != nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

// bogusAt is a validating resolver to which all names with a prefix are bogus.
func bogusAt(prefix string) dnstest.Hook {
	return func(q *dns.Msg, network string) (*dns.Msg, bool) {
		m, _ := dnstest.Fails(dns.RcodeServerFailure)(q, network)
		return m, !q.CheckingDisabled && strings.HasPrefix(q.Question[0].Name, prefix)
	}
}

// A look takes no longer than it must: a dead server costs one timeout, beside the
// others, and servers that take 1.8 s are waited for, one name after the other.
func TestLookInTime(t *testing.T) {
	slow := func(*dns.Msg, string) (*dns.Msg, bool) { time.Sleep(1800 * time.Millisecond); return nil, false }
	for _, tc := range []struct {
		name   string
		wrong  func(w *world)
		status check.Status
		most   time.Duration
	}{
		// The world's resolver too needs a second to turn away from the dead one.
		{"one is dead", func(w *world) { w.Hook(domainServer, dnstest.Silent) }, check.OK, 3900 * time.Millisecond},
		{"all are dead", func(w *world) { w.Hook(domainServer, dnstest.Silent); w.Hook(domainServer2, dnstest.Silent) }, check.Unknown, 3 * time.Second},
		{"two slow zones", func(w *world) {
			w.setDomain("_acme-challenge CNAME a.elsewhere.example.")
			w.elsewhere("a CNAME "+w.target+".", "")
			for _, s := range []string{domainServer, domainServer2, otherServer, otherServer2} {
				w.Hook(s, slow)
			}
		}, check.OK, 9 * time.Second},
		{"a chain of slow names", func(w *world) {
			w.setDomain("_acme-challenge CNAME a\na CNAME b\nb CNAME c\nc CNAME d\nd CNAME e\ne CNAME f\nf CNAME " + w.target + ".")
			for _, s := range []string{domainServer, domainServer2} {
				w.Hook(s, slow)
			}
		}, check.Unknown, 11 * time.Second},
		{"the first resolver is dead", func(w *world) {
			w.Resolvers = append([]string{w.Resolver("127.53.0.55")}, w.Resolvers...)
			w.Hook("127.53.0.55", dnstest.Silent)
		}, check.OK, 4500 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setDomain(w.right())
			tc.wrong(w)
			start := time.Now()
			if got := w.Look(context.Background(), scope, domain); got.Status != tc.status {
				t.Errorf("got %+v", got)
			}
			if took := time.Since(start); took > tc.most {
				t.Errorf("took %v, want at most %v", took, tc.most)
			}
		})
	}
}

// Until the record is there, a look asks no resolver for it: the resolver would
// remember that it is not.
func TestLookDoesNotAskTooEarly(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		if strings.Contains(q.Question[0].Name, "_acme-challenge") {
			asked.Add(1)
		}
		return nil, false
	})
	w.Domain(context.Background(), scope, domain, check.CA{})
	if n := asked.Load(); n > 0 {
		t.Errorf("the resolver was asked %d times", n)
	}
	w.setDomain(w.right())
	if got := w.Look(context.Background(), scope, domain); got.Status != check.OK || asked.Load() == 0 {
		t.Errorf("got %+v, and the resolver was asked %d times", got, asked.Load())
	}
}

// Names of networks of one's own are looked at where the resolver says that they are.
func TestLookAtPrivateNames(t *testing.T) {
	for name, domain := range map[string]string{"internal": "*.internal", "corp": "shop.corp", "home.arpa": "*.home.arpa", "office.lan": "office.lan"} {
		t.Run(domain, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			target, err := w.Zone.Target(scope, domain)
			if err != nil {
				t.Fatal(err)
			}
			local := func(records string) {
				w.Serve(name, "@ NS ns\n@ NS ns2\nns A "+otherServer+"\nns2 A "+otherServer2+"\n"+records, otherServer, otherServer2)
			}
			// The root does not know them, only the resolver does.
			w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
				if !dns.IsSubDomain(name+".", q.Question[0].Name) {
					return nil, false
				}
				m, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, w.Addr(otherServer))
				return m, err == nil
			})
			local("")
			if got := w.Look(context.Background(), scope, domain); got.Check != "cname-missing" {
				t.Errorf("got %+v", got)
			}
			local(target.Challenge + ". CNAME " + target.Name + ".")
			if got := w.Look(context.Background(), scope, domain); got.Status != check.OK {
				t.Errorf("got %+v", got)
			}
			w.Serve(name, "@ NS ns\n@ NS ns2\nns A "+otherServer+"\nns2 A "+otherServer2, otherServer2)
			if got := w.Look(context.Background(), scope, domain); got.Check != "authoritative-differ" {
				t.Errorf("got %+v", got)
			}
		})
	}
}
