package dnsserve

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

// flood sends queries over UDP from many addresses, as fast as it can whenever
// due says so, until ctx is done: for random names, for random targets, of random
// types, and garbage. It never takes an answer. It counts what it sends.
func flood(ctx context.Context, t testing.TB, s *Server, sender int, due func() bool, sent *atomic.Uint64) {
	rng := rand.New(rand.NewPCG(uint64(sender), 1))
	var conns []*net.UDPConn
	for i := range 32 {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, byte(sender+1), byte(i), 1)}, net.UDPAddrFromAddrPort(s.Addrs()[0]))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_ = conn.SetReadBuffer(1 << 10) // nobody reads
		conns = append(conns, conn)
	}
	var queries [][]byte
	for range 1000 {
		name := fmt.Sprintf("%x.acme.example.com.", rng.Uint64())
		if rng.IntN(2) == 0 {
			name = uuid.NewString() + ".acme.example.com."
		}
		wire, err := new(dns.Msg).SetQuestion(name, []uint16{dns.TypeTXT, dns.TypeA, dns.TypeANY, dns.TypeSOA}[rng.IntN(4)]).Pack()
		if err != nil {
			t.Error(err)
			return
		}
		if rng.IntN(10) == 0 {
			wire = wire[:rng.IntN(len(wire))]
		}
		queries = append(queries, wire)
	}
	for ctx.Err() == nil {
		if !due() {
			runtime.Gosched()
			continue
		}
		query := queries[rng.IntN(len(queries))]
		if len(query) > 2 {
			binary.BigEndian.PutUint16(query, uint16(rng.Uint32()))
		}
		if _, err := conns[rng.IntN(len(conns))].Write(query); err == nil {
			sent.Add(1)
		}
	}
}

// resolve asks as a resolver does: from a new port for each try, and up to five
// tries. It reports whether the challenge's value came back, and counts its queries.
func resolve(t testing.TB, s *Server, sent *atomic.Uint64) (answered bool) {
	for try := range 5 {
		conn, err := net.Dial("udp", s.Addrs()[0].String())
		if err != nil {
			t.Error(err)
			return false
		}
		query := challengeQuery()
		wire, _ := query.Pack()
		_, _ = conn.Write(wire)
		sent.Add(1)
		_ = conn.SetReadDeadline(time.Now().Add(time.Second << try))
		buf := make([]byte, 512)
		n, err := conn.Read(buf)
		conn.Close()
		m := new(dns.Msg)
		if err == nil && m.Unpack(buf[:n]) == nil && m.Id == query.Id && len(m.Answer) == 1 {
			return true
		}
	}
	return false
}

// While a flood of a hundred times the legitimate queries runs, in bursts as fast as
// two senders can, at least 99.9 % of the challenges are answered to a resolver
// that retries; and nothing is left of the flood, neither goroutines nor memory.
func TestChallengesUnderFlood(t *testing.T) {
	const challenges, senders, times, atLeast = 2000, 2, 100, 10
	const memoryBound = 16 << 20
	s := serve(t, nil, "127.0.0.1:0")
	before, goroutines := heap(), runtime.NumGoroutine()
	ctx, stop := context.WithCancel(t.Context())
	var flooded, asked, answered atomic.Uint64
	var flooding, asking sync.WaitGroup
	due := func() bool { return flooded.Load() < times*(asked.Load()+1) }
	for i := range senders {
		flooding.Go(func() { flood(ctx, t, s, i, due, &flooded) })
	}
	const resolvers = 4
	for range resolvers {
		asking.Go(func() {
			for range challenges / resolvers {
				if resolve(t, s, &asked) {
					answered.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if n := runtime.NumGoroutine() - goroutines; n > senders {
		t.Errorf("%d more goroutines than before, of which %d are the flood", n, senders)
	}
	stop()
	flooding.Wait()
	t.Logf("%d of %d challenges were answered, with %d queries, while %d others came", answered.Load(), challenges, asked.Load(), flooded.Load())
	if flooded.Load() < atLeast*asked.Load() {
		t.Errorf("the flood had only %d queries for %d legitimate ones", flooded.Load(), asked.Load())
	}
	if answered.Load() < challenges*999/1000 {
		t.Errorf("%d of %d challenges were answered", answered.Load(), challenges)
	}
	if after := heap(); after > before+memoryBound {
		t.Errorf("%d MiB more memory than before", (after-before)>>20)
	}
}

// heap returns how much memory is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
