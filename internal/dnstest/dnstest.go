// Package dnstest is a small DNS of its own for tests: authoritative servers
// and recursive resolvers on loopback addresses, all at one high port. It can
// be wrong in all the ways in which the real one is.
package dnstest

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// RootServer is the address of the root's server, where resolvers begin.
const RootServer = "127.53.0.1"

// World is a DNS. It ends with its test.
type World struct {
	Port uint16 // of every server

	t     testing.TB
	mu    sync.Mutex
	hosts map[string]*host
}

// host is what answers at one address.
type host struct {
	zones map[string]*zoneData
	hook  Hook // before anything else
	rest  Hook // the resolver
}

// Hook answers a query in place of a server, if it says so. No answer is silence.
type Hook func(q *dns.Msg, network string) (answer *dns.Msg, done bool)

// New returns a World with nothing in it.
func New(t testing.TB) *World {
	t.Helper()
	return &World{t: t, Port: uint16(redistest.FreePort(t)), hosts: map[string]*host{}} //nolint:gosec // a port
}

// Addr returns address:port.
func (w *World) Addr(address string) string {
	return net.JoinHostPort(address, strconv.Itoa(int(w.Port)))
}

// Serve has the servers at addresses serve the zone in text, in the form of a
// zone file (RFC 1035 section 5), in place of what they served of it before. A
// SOA is added, and to a root zone without NS records those with RootServer.
func (w *World) Serve(origin, text string, addresses ...string) {
	w.t.Helper()
	z := parseZone(w.t, origin, text)
	if z.origin == "." && len(z.at(".", dns.TypeNS)) == 0 {
		for _, rr := range []string{". NS ns.", "ns. A " + RootServer} {
			r, err := dns.NewRR(rr)
			if err != nil {
				w.t.Fatal(err)
			}
			z.add(r)
		}
	}
	for _, a := range addresses {
		h := w.host(a)
		w.mu.Lock()
		h.zones[z.origin] = z
		w.mu.Unlock()
	}
}

// Hook puts a hook in front of the server at address; nil takes it away.
func (w *World) Hook(address string, hook Hook) {
	h := w.host(address)
	w.mu.Lock()
	defer w.mu.Unlock()
	h.hook = hook
}

// Resolver starts a recursive resolver at address and returns its address:port.
func (w *World) Resolver(address string) string {
	h := w.host(address)
	r := &resolver{w}
	w.mu.Lock()
	defer w.mu.Unlock()
	h.rest = func(q *dns.Msg, _ string) (*dns.Msg, bool) { return r.answer(q), true }
	return w.Addr(address)
}

// host returns the server at address, and starts it if it is new.
func (w *World) host(address string) *host {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.hosts[address]; h != nil {
		return h
	}
	h := &host{zones: map[string]*zoneData{}}
	w.hosts[address] = h
	for _, network := range []string{"udp", "tcp"} {
		s := &dns.Server{Addr: w.Addr(address), Net: network, Handler: w.handler(h, network)}
		started := make(chan error, 2)
		s.NotifyStartedFunc = func() { started <- nil }
		go func() { started <- s.ListenAndServe() }()
		if err := <-started; err != nil {
			w.t.Fatalf("dnsworld: %v", err)
		}
		w.t.Cleanup(func() { _ = s.Shutdown() })
	}
	return h
}

func (w *World) handler(h *host, network string) dns.Handler {
	return dns.HandlerFunc(func(rw dns.ResponseWriter, q *dns.Msg) {
		w.mu.Lock()
		hook, rest := h.hook, h.rest
		w.mu.Unlock()
		for _, f := range []Hook{hook, rest} {
			if f == nil {
				continue
			}
			if m, done := f(q, network); done {
				if m != nil {
					_ = rw.WriteMsg(m)
				}
				return
			}
		}
		_ = rw.WriteMsg(w.authoritative(h, q))
	})
}

// authoritative answers from the deepest zone that the host has.
func (w *World) authoritative(h *host, q *dns.Msg) *dns.Msg {
	name, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	var best *zoneData
	w.mu.Lock()
	for origin, z := range h.zones {
		if dns.IsSubDomain(origin, name) && (best == nil || len(origin) > len(best.origin)) && (qtype != dns.TypeDS || origin != name || len(h.zones) == 1) {
			best = z
		}
	}
	w.mu.Unlock()
	m := Reply(q)
	if best == nil {
		m.Rcode = dns.RcodeRefused
		return m
	}
	best.answer(m, name, qtype)
	return m
}

// Reply returns an empty answer to q, with EDNS if q has it.
func Reply(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	if q.IsEdns0() != nil {
		m.SetEdns0(1232, false)
	}
	return m
}

// Silent is the hook of a server that answers nothing.
func Silent(*dns.Msg, string) (*dns.Msg, bool) { return nil, true }

// Fails is the hook of a server that answers every query with an RCODE.
func Fails(rcode int) Hook {
	return func(q *dns.Msg, _ string) (*dns.Msg, bool) {
		m := Reply(q)
		m.Rcode = rcode
		return m, true
	}
}
