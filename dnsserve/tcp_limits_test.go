package dnsserve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/poll"
)

// dialFrom connects from the given address of the loopback network.
func dialFrom(t *testing.T, s *Server, address string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.TCPConn)
}

// closed reports whether the server has closed the connection, or does so soon.
func closed(conn net.Conn, within time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(within))
	_, err := conn.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// A client with too many connections loses those of its own that have been
// silent for longest; nobody else loses any, and its newest ones work.
func TestTCPLimitPerClient(t *testing.T) {
	const limit = 10
	s := serve(t, func(c *Config) { c.MaxConnectionsPerClient = limit }, "127.0.0.1:0")
	message := tcpMessageOf(t, challengeQuery())
	other := dialFrom(t, s, "127.0.0.2") // older than all of them, and silent
	readsOne := func(conn *net.TCPConn) {
		t.Helper()
		_, _ = conn.Write(message)
		if m := readAnswer(t, conn); len(m.Answer) != 1 {
			t.Fatal(m)
		}
	}
	var conns []*net.TCPConn
	for range 3 * limit {
		conn := dialFrom(t, s, "127.0.0.1")
		readsOne(conn) // so that it is accepted before the next one is
		conns = append(conns, conn)
	}
	for i, conn := range conns[:2*limit] {
		if !closed(conn, 5*time.Second) {
			t.Errorf("connection %d of %d is open, although %d are allowed", i, len(conns), limit)
		}
	}
	for _, conn := range append(conns[2*limit:], other) {
		readsOne(conn)
	}
}

func TestClientOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":             "192.0.2.7",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::",
		"2001:db8:1:2:ffff::1":  "2001:db8:1:2::",
		"2001:db8:1:3::1":       "2001:db8:1:3::",
		"fe80::1234:5678%first": "fe80::",
	} {
		if got := clientOf(netip.MustParseAddr(address)); got != netip.MustParseAddr(want) {
			t.Errorf("clientOf(%s) = %s, want %s", address, got, want)
		}
	}
}

// A client that asks on and on and never takes an answer costs a bounded amount
// of memory, for a bounded time, and delays nobody.
func TestTCPSlowReader(t *testing.T) {
	t.Parallel()
	s := serve(t, nil, "127.0.0.1:0")
	conn := dialFrom(t, s, "127.0.0.1")
	_ = conn.SetReadBuffer(4 << 10)
	var message []byte
	for range 50 {
		message = append(message, tcpMessageOf(t, challengeQuery())...)
	}
	taken, begin := 0, time.Now()
	for deadline := begin.Add(tcpMessage + 10*time.Second); ; {
		if time.Now().After(deadline) {
			t.Fatalf("still connected after %v", time.Since(begin))
		}
		_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := conn.Write(message)
		taken += n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil { // the server has stopped reading
			before := time.Now()
			ask(t, "tcp", s.Addrs()[0].String())
			if d := time.Since(before); d > time.Second {
				t.Fatalf("another client's query took %v", d)
			}
		}
	}
	if taken > 8<<20 {
		t.Errorf("the server took %d octets of queries without anybody taking its answers", taken)
	}
}

// Idle and dribbling connections leave everyone else served within a second,
// and are not kept without end.
func TestTCPCrowd(t *testing.T) {
	s := serve(t, func(c *Config) { c.MaxConnections, c.MaxConnectionsPerClient = 300, 1000 }, "127.0.0.1:0")
	message := tcpMessageOf(t, challengeQuery())
	before := runtime.NumGoroutine()
	for i := range 1000 {
		conn := dialTCP(t, s)
		if i%2 == 0 {
			_, _ = conn.Write(message[:5])
		}
		if i%100 == 99 {
			start := time.Now()
			ask(t, "tcp", s.Addrs()[0].String())
			ask(t, "udp", s.Addrs()[0].String())
			if d := time.Since(start); d > time.Second {
				t.Fatalf("with %d connections open a query took %v", i+1, d)
			}
		}
	}
	poll.Until(t, 5*time.Second, "no more goroutines than for the 300 connections that are allowed", func() error {
		if n := runtime.NumGoroutine() - before; n > 310 {
			return fmt.Errorf("%d more for 1000 connections", n)
		}
		return nil
	})
}

// However many connections there are, from however many clients, and whether they
// send half a query or take no answer: goroutines and memory stay bounded.
func TestTCPFlood(t *testing.T) {
	const limit, connections, memoryBound = 400, 1200, 32 << 20
	s := serve(t, func(c *Config) { crowdedConfig(c, t); c.MaxConnections = limit }, "127.0.0.1:0")
	message := tcpMessageOf(t, challengeQuery()) // its answer has 27 KB
	before, goroutines := heap(), runtime.NumGoroutine()
	for i := range connections {
		conn := dialFrom(t, s, fmt.Sprintf("127.0.%d.1", i%50))
		_ = conn.SetReadBuffer(1 << 10)
		switch i % 3 {
		case 0:
			_, _ = conn.Write(message[:5])
		case 1:
			for range 20 {
				_, _ = conn.Write(message)
			}
		}
	}
	poll.Until(t, 20*time.Second, "no more goroutines than for the connections that are allowed", func() error {
		if n := runtime.NumGoroutine() - goroutines; n > limit+5 {
			return fmt.Errorf("%d more for %d connections, although %d are allowed", n, connections, limit)
		}
		return nil
	})
	after := heap()
	t.Logf("%d KiB for each connection", (after-before)>>10/limit)
	if after > before+memoryBound {
		t.Errorf("%d MiB more memory than before", (after-before)>>20)
	}
	conn := dialFrom(t, s, "127.0.0.99")
	_, _ = conn.Write(message)
	if m := readAnswer(t, conn); len(m.Answer) != 100 {
		t.Errorf("a newcomer is answered with %v", m)
	}
}
