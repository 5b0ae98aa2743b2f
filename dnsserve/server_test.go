package dnsserve

import (
	"context"
	"net"
	"net/netip"
	"strings"
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
		t.Run("RFC 2181 section 4.1: from "+host, func(t *testing.T) {
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), port).String()
			ask(t, "udp", addr)
			ask(t, "tcp", addr)
		})
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
