package dnsserve

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
)

// serve runs a server on the given addresses until the test ends.
func serve(t testing.TB, change func(*Config), listen ...string) *Server {
	t.Helper()
	config := testConfig(t, "acme.example.com", []string{"ns.example.com"},
		&fakeRecords{values: map[uuid.UUID][]string{uuid.MustParse(testID): {"value"}}, complete: true})
	config.Listen = listen
	if change != nil {
		change(&config)
	}
	s, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func challengeQuery() *dns.Msg {
	return new(dns.Msg).SetQuestion(testID+".acme.example.com.", dns.TypeTXT)
}

// ask asks over the network ("udp" or "tcp") and fails unless the value comes back.
func ask(t testing.TB, network, address string) {
	t.Helper()
	c := &dns.Client{Net: network, Timeout: 5 * time.Second}
	got, _, err := c.Exchange(challengeQuery(), address)
	if err != nil || len(got.Answer) != 1 || got.Answer[0].(*dns.TXT).Txt[0] != "value" {
		t.Fatalf("%s %s: %v, %v", network, address, got, err)
	}
}

func TestTransports(t *testing.T) {
	s := serve(t, nil, "127.0.0.1:0", "[::1]:0")
	if len(s.Addrs()) != 2 {
		t.Fatalf("Addrs = %v", s.Addrs())
	}
	for _, addr := range s.Addrs() {
		for _, network := range []string{"udp", "tcp"} {
			ask(t, network, addr.String())
		}
	}
}

// On a wildcard bind the answer leaves from the address that was asked: a
// connected socket would not take it from another.
func TestWildcardAnswersFromTheAddressAsked(t *testing.T) {
	s := serve(t, nil, ":0")
	port := s.Addrs()[0].Port()
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "127.1.2.3", "::1"} {
		addr := netip.AddrPortFrom(netip.MustParseAddr(host), port).String()
		ask(t, "udp", addr)
		ask(t, "tcp", addr)
	}
}

func TestListenErrors(t *testing.T) {
	s := serve(t, nil, "127.0.0.1:0")
	taken := s.Addrs()[0].String()
	udpOnly, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udpOnly.Close()
	for address, want := range map[string]string{
		taken:                        "address already in use",
		udpOnly.LocalAddr().String(): "address already in use",
		"127.0.0.1":                  "host:port",
		"localhost:53":               "IP address of this machine",
		"192.0.2.1:5353":             "an address of this machine",
		"127.0.0.1:99999":            "invalid port",
	} {
		config := s.config
		config.Listen = []string{"127.0.0.1:0", address}
		if s, err := Listen(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Listen(%s) = %v, %v, want an error with %q", address, s, err, want)
		}
	}
}

func dialTCP(t testing.TB, s *Server) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.TCPConn)
}

func tcpMessageOf(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
}

func readAnswer(t testing.TB, conn io.Reader) *dns.Msg {
	t.Helper()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		t.Fatal(err)
	}
	wire := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, wire); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil {
		t.Fatal(err)
	}
	return m
}

// 100 queries in one go, then the client closes its half: all are answered, in order.
func TestTCPPipelineAndHalfClose(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	var all []byte
	for i := range 100 {
		m := challengeQuery()
		m.Id = uint16(i)
		all = append(all, tcpMessageOf(t, m)...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	_ = conn.CloseWrite()
	for i := range 100 {
		if m := readAnswer(t, conn); m.Id != uint16(i) || len(m.Answer) != 1 {
			t.Fatalf("answer %d: %v", i, m)
		}
	}
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the last answer: %d octets, %v, want EOF", n, err)
	}
}

func TestTCPOctetWise(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	_ = conn.SetNoDelay(true)
	for range 2 {
		for _, b := range tcpMessageOf(t, challengeQuery()) {
			if _, err := conn.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if m := readAnswer(t, conn); len(m.Answer) != 1 {
			t.Fatal(m)
		}
	}
}

// An answer does not wait for the rest of the next query.
func TestTCPAnswersBeforeTheNextQueryIsWhole(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	message := tcpMessageOf(t, challengeQuery())
	_, _ = conn.Write(append(message, message[:20]...))
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	if m := readAnswer(t, conn); len(m.Answer) != 1 {
		t.Fatal(m)
	}
}

func TestTCPOversizedQuery(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	big := make([]byte, 2+65535)
	copy(big, tcpMessageOf(t, challengeQuery()))
	big[0], big[1] = 0xff, 0xff
	go func() { _, _ = conn.Write(append(big, tcpMessageOf(t, challengeQuery())...)) }()
	if m := readAnswer(t, conn); m.Rcode != dns.RcodeFormatError {
		t.Fatal(m)
	}
	if m := readAnswer(t, conn); len(m.Answer) != 1 {
		t.Fatal(m)
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
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n := runtime.NumGoroutine() - before; n <= 310 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d more goroutines for 1000 connections, although 300 are allowed", n)
		}
	}
}

// A forged source that is our own address: our answer to it is not answered.
func TestAnswersAreNotAnswered(t *testing.T) {
	s := serve(t, nil, "127.0.0.1:0")
	conn, err := net.Dial("udp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := challengeQuery()
	answer.Response = true
	wire, _ := answer.Pack()
	_, _ = conn.Write(wire)
	_, _ = conn.Write([]byte("short"))
	wire, _ = challengeQuery().Pack()
	_, _ = conn.Write(wire)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	m := new(dns.Msg)
	if err != nil || m.Unpack(buf[:n]) != nil || len(m.Answer) != 1 {
		t.Fatalf("the first thing that came back is %x, %v", buf[:n], err)
	}
}

// Source port 0 cannot be answered and must not stop the socket.
func TestSourcePortZero(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	if errors.Is(err, syscall.EPERM) {
		t.Log("raw sockets need privileges; the sending half is tested directly")
	}
	s := serve(t, nil, "127.0.0.1:0")
	if err == nil {
		defer syscall.Close(fd)
		wire, _ := challengeQuery().Pack()
		packet := binary.BigEndian.AppendUint16(nil, 0)
		packet = binary.BigEndian.AppendUint16(packet, s.Addrs()[0].Port())
		packet = binary.BigEndian.AppendUint16(packet, uint16(8+len(wire)))
		packet = append(append(packet, 0, 0), wire...)
		for range 50 {
			if err := syscall.Sendto(fd, packet, 0, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask(t, "udp", s.Addrs()[0].String())
}

// Queries that were there when the server is told to stop are answered.
func TestStopIsClean(t *testing.T) {
	config := testConfig(t, "acme.example.com", []string{"ns.example.com"}, &fakeRecords{complete: true})
	config.Listen = []string{"127.0.0.1:0"}
	s, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	idle := dialTCP(t, s)
	_, _ = idle.Write(tcpMessageOf(t, challengeQuery()))
	readAnswer(t, idle)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Run does not return")
	}
	s.config.Listen = []string{s.Addrs()[0].String()}
	again, err := Listen(s.config)
	if err != nil {
		t.Fatal("the sockets are still there:", err)
	}
	again.close()
}

// A flood does not keep the server from stopping.
func TestStopUnderFlood(t *testing.T) {
	config := testConfig(t, "acme.example.com", []string{"ns.example.com"}, &fakeRecords{complete: true})
	config.Listen = []string{"127.0.0.1:0"}
	s, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	wire, _ := challengeQuery().Pack()
	flooding, stopFlood := context.WithTimeout(t.Context(), 20*time.Second)
	defer stopFlood()
	for range 4 {
		conn, err := net.Dial("udp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go func() {
			for flooding.Err() == nil {
				_, _ = conn.Write(wire)
			}
		}()
	}
	time.Sleep(100 * time.Millisecond)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(drainTime + 5*time.Second):
		t.Error("Run does not return while queries come in")
	}
}

func TestListenWithoutConfig(t *testing.T) {
	if _, err := Listen(Config{}); err == nil {
		t.Error("Listen accepts an empty Config")
	}
}
