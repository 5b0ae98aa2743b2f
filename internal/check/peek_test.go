package check_test

import (
	"context"
	"testing"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/dnstest"
)

// What is asked between two looks at a missing record says "changed" whenever a look
// would find something else, or when it cannot tell, and asks one question.
func TestChanged(t *testing.T) {
	w := newWorld(t)
	target, err := w.Zone.Target(scope, domain)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(want bool, when string) {
		t.Helper()
		if got := w.Changed(context.Background(), target); got != want {
			t.Errorf("%s: changed is %v", when, got)
		}
	}
	changed(true, "before the first look")
	w.setDomain("")
	w.Look(context.Background(), scope, domain)
	changed(false, "the record is still missing")
	w.setDomain("_acme-challenge TXT old")
	changed(true, "a TXT has appeared")
	w.Look(context.Background(), scope, domain)
	changed(false, "the TXT is still there")
	w.setDomain("_acme-challenge CNAME " + target.Name + ".")
	changed(true, "the record has appeared")
	w.Look(context.Background(), scope, domain)
	changed(true, "with a CNAME everything is looked at")
	w.setDomain("")
	w.Look(context.Background(), scope, domain)
	for _, server := range []string{domainServer, domainServer2} {
		w.Hook(server, dnstest.Silent)
	}
	changed(false, "one question is not answered")
	changed(true, "the servers do not answer")
	for _, server := range []string{domainServer, domainServer2} {
		w.Hook(server, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
			m := dnstest.Reply(q)
			m.Rcode = dns.RcodeRefused
			return m, true
		})
	}
	changed(true, "the servers do not serve the zone any more")
}
