package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/signpost-acme/signpost/internal/dnstest"
)

// worldCommand gives a session a DNS of its own, on loopback addresses:
//
//	world zone ORIGIN FILE ADDRESS…  serves a zone file at the addresses
//	world resolver ADDRESS           starts a resolver, and has signpost use it
//	world silent ADDRESS             has a server answer nothing any more
//	world unreachable ADDRESS        likewise, but over UDP, as the resolver asks here
//
// $WORLD_PORT is the port of all its servers, and what signpost takes for 53.
func worldCommand(t *testing.T) func(*testscript.TestScript, bool, []string) {
	worlds := map[*testscript.TestScript]*dnstest.World{}
	lock := make(chan struct{}, 1)
	return func(ts *testscript.TestScript, _ bool, args []string) {
		lock <- struct{}{}
		defer func() { <-lock }()
		w := worlds[ts]
		if w == nil {
			w = dnstest.New(t)
			worlds[ts] = w
			ts.Setenv("WORLD_PORT", fmt.Sprint(w.Port))
			ts.Setenv("SIGNPOST_AUTHORITATIVE_PORT", fmt.Sprint(w.Port))
		}
		switch args[0] {
		case "zone":
			w.Serve(args[1], ts.ReadFile(args[2]), args[3:]...)
		case "resolver":
			ts.Setenv("SIGNPOST_RESOLVER", w.Resolver(args[1]))
		case "silent":
			w.Hook(args[1], dnstest.Silent)
		case "unreachable":
			w.Hook(args[1], func(_ *dns.Msg, network string) (*dns.Msg, bool) { return nil, network == "tcp" })
		default:
			ts.Fatalf("world %s: there is no such thing", args[0])
		}
	}
}

// A zone file is one that other programs read.
func TestZoneFileParses(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"records", "--zone", "acme.example.com", "--nameserver", "ns.example.com=192.0.2.1,2001:db8::1",
		"example.com", "*.example.com", "*.bücher.example", "-o", "zone"}
	if code := run(context.Background(), args, &out, &errs); code != exitFine {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	p := dns.NewZoneParser(&out, "elsewhere.example.", "") // every name is absolute
	var got []string
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		got = append(got, strings.Join(strings.Fields(rr.String()), " "))
	}
	want := []string{
		"acme.example.com. 300 IN NS ns.example.com.", "ns.example.com. 300 IN A 192.0.2.1", "ns.example.com. 300 IN AAAA 2001:db8::1",
		"_acme-challenge.example.com. 300 IN CNAME 01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com.",
		"_acme-challenge.xn--bcher-kva.example. 300 IN CNAME 85475a7c-497e-5cea-9dcb-060e46af4e1b.acme.example.com.",
	}
	if p.Err() != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %v\n%s\nwant\n%s", p.Err(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Hundreds of domains are checked a few at a time, with progress.
func TestCheckManyDomains(t *testing.T) {
	const resolver = "127.53.0.53"
	w := dnstest.New(t)
	at := w.Resolver(resolver)
	var now, most atomic.Int32
	w.Hook(resolver, func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		if q.Question[0].Qtype == dns.TypeCNAME && strings.HasPrefix(q.Question[0].Name, "_acme-challenge.") {
			for n := now.Add(1); n > most.Load(); n = now.Load() {
				most.Store(n)
			}
			time.Sleep(2 * time.Millisecond)
			defer now.Add(-1)
		}
		m := dnstest.Reply(q)
		m.Rcode = dns.RcodeServerFailure
		return m, true
	})
	args := []string{"check", "--zone", "acme.example.com", "--nameserver", "ns.example.com", "--resolver", at}
	for i := range 300 {
		args = append(args, fmt.Sprintf("d%d.example.com", i))
	}
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, &out, &errs); code != exitError {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(out.String(), "cname-unknown"); n != 300 {
		t.Errorf("%d domains in the report", n)
	}
	for _, want := range []string{"checked 20 of 300 domains\n", "checked 300 of 300 domains\n", "error: of 302 checks, 0 failed, and 302 could not be made"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no %q in\n%s", want, &errs)
		}
	}
	// A domain asks for its CNAME and, told SERVFAIL, for it once more.
	if most.Load() > int32(domainsAtOnce.Urgent) || most.Load() < 2 {
		t.Errorf("%d domains at once", most.Load())
	}
}
