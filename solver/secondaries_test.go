package solver_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/solver"
)

// fakeSecondary answers over UDP and TCP with the key, once the network has it.
type fakeSecondary struct {
	addr     string
	has      map[string]*atomic.Bool // by network
	asked    atomic.Int64
	notOurs  atomic.Bool // not authoritative
	silenced atomic.Bool
}

func startSecondary(t *testing.T) *fakeSecondary {
	t.Helper()
	f := &fakeSecondary{has: map[string]*atomic.Bool{"udp": {}, "tcp": {}}}
	var listener net.Listener
	var conn net.PacketConn
	for listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if conn, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			listener = l
		}
	}
	f.addr = listener.Addr().String()
	for network, server := range map[string]*dns.Server{"udp": {PacketConn: conn}, "tcp": {Listener: listener}} {
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			f.asked.Add(1)
			if f.silenced.Load() {
				return
			}
			m := new(dns.Msg).SetReply(q)
			m.Authoritative = !f.notOurs.Load()
			m.Rcode = dns.RcodeNameError // a name without values is not in a copy of the zone
			if f.has[network].Load() {
				m.Rcode = dns.RcodeSuccess
				m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{key}}}
			}
			_ = w.WriteMsg(m)
		})
		go func() { _ = server.ActivateAndServe() }()
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return f
}

func (f *fakeSecondary) set(has bool) {
	for _, h := range f.has {
		h.Store(has)
	}
}

func withSecondaries(t *testing.T, list ...string) *world {
	t.Helper()
	w, _ := newWorld(t, 1)
	secondaries, err := w.zone.Secondaries(list)
	if err != nil {
		t.Fatal(err)
	}
	w.solver.Secondaries(secondaries, solver.SecondaryServes)
	return w
}

// Present returns only when every address of every secondary answers with the value,
// over UDP and over TCP.
func TestPresentWaitsForSecondaries(t *testing.T) {
	one, two := startSecondary(t), startSecondary(t)
	w := withSecondaries(t, "ns1.example.net="+one.addr+","+two.addr)
	done := make(chan error, 1)
	go func() { done <- w.solver.Present(request()) }()
	waits := func(when string, asked *atomic.Int64) {
		t.Helper()
		for from := asked.Load(); asked.Load() < from+3; { // it asks on
			select {
			case err := <-done:
				t.Fatalf("%s: Present = %v", when, err)
			case <-time.After(time.Millisecond):
			}
		}
	}
	waits("nobody has it", &one.asked)
	one.set(true)
	waits("one has it", &two.asked)
	two.has["udp"].Store(true)
	waits("the other has it over UDP alone", &two.asked)
	two.set(true)
	if err := <-done; err != nil {
		t.Errorf("all have it: %v", err)
	}
}

// When a secondary lags, Present says which within its bound, in a text that stays.
func TestPresentNamesTheSecondary(t *testing.T) {
	for name, spoil := range map[string]func(f *fakeSecondary){
		"behind":            func(*fakeSecondary) {},
		"not authoritative": func(f *fakeSecondary) { f.set(true); f.notOurs.Store(true) },
		"silent":            func(f *fakeSecondary) { f.silenced.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, two := startSecondary(t), startSecondary(t)
			one.set(true)
			spoil(two)
			w, servers := newWorld(t, 1)
			secondaries, err := w.zone.Secondaries([]string{"ns1.example.net=" + one.addr, "ns2.example.net=" + two.addr})
			if err != nil {
				t.Fatal(err)
			}
			w.solver.Secondaries(secondaries, solver.SecondaryServes)
			announcing := time.NewTicker(store.HeartbeatInterval)
			defer announcing.Stop()
			go func() {
				for range announcing.C {
					_ = w.store.Announce(t.Context(), servers[0])
				}
			}()
			begin := time.Now()
			err = w.solver.Present(request())
			if err == nil || !strings.HasSuffix(err.Error(), ": ns2.example.net ("+two.addr+")") || strings.Contains(err.Error(), "ns1") {
				t.Errorf("Present = %v", err)
			}
			if took := time.Since(begin); took > 25*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

// CleanUp waits for secondaries too, not for long, and succeeds in any case.
func TestCleanUpOfSecondariesIsBestEffort(t *testing.T) {
	one := startSecondary(t)
	one.set(true)
	w := withSecondaries(t, "ns1.example.net="+one.addr)
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := w.solver.CleanUp(request()); err != nil || time.Since(begin) < 4*time.Second {
		t.Errorf("it has the value still: %v, after %v", err, time.Since(begin))
	}
	one.set(false)
	begin = time.Now()
	if err := w.solver.CleanUp(request()); err != nil || time.Since(begin) > 3*time.Second {
		t.Errorf("it is gone: %v, after %v", err, time.Since(begin))
	}
}
