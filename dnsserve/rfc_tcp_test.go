package dnsserve

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestTCP(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"RFC 7766 section 6.2.1.1: 100 pipelined queries, and the client closes its half":  tcpPipelineAndHalfClose,
		"RFC 7766 section 6.2.1.1: an answer does not wait for the rest of the next query": tcpAnswersAtOnce,
		"RFC 7766 section 7: answers are matched by ID, and in order here":                 tcpSameID,
		"RFC 7766 section 8: a message may come octet by octet":                            tcpOctetWise,
		"RFC 1035 section 4.2.2: of 65535 octets; what follows is understood":              tcpOversizedQuery,
		"RFC 7766 section 6.2.3, RFC 7828 section 3.4: idle connections live as announced": tcpIdleTimeout,
		"RFC 7766 section 10: a query that is never completed ends the connection":         tcpHalfQuery,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
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
func tcpPipelineAndHalfClose(t *testing.T) {
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

func tcpOctetWise(t *testing.T) {
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
func tcpAnswersAtOnce(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	message := tcpMessageOf(t, challengeQuery())
	_, _ = conn.Write(append(message, message[:20]...))
	if m := readAnswer(t, conn); len(m.Answer) != 1 {
		t.Fatal(m)
	}
}

func tcpOversizedQuery(t *testing.T) {
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

// Two queries with one ID are two questions.
func tcpSameID(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	one, two := challengeQuery(), challengeQuery().SetQuestion("acme.example.com.", dns.TypeSOA)
	one.Id, two.Id = 7, 7
	_, _ = conn.Write(append(tcpMessageOf(t, one), tcpMessageOf(t, two)...))
	for _, query := range []*dns.Msg{one, two} {
		if m := readAnswer(t, conn); m.Id != 7 || m.Question[0] != query.Question[0] || len(m.Answer) != 1 {
			t.Errorf("answer to %v: %v", query.Question[0], m)
		}
	}
}

func tcpIdleTimeout(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	query := challengeQuery().SetEdns0(1232, false)
	query.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: dns.EDNS0TCPKEEPALIVE}}
	_, _ = conn.Write(tcpMessageOf(t, query))
	begin := time.Now() // the server's clock for this starts later
	m := readAnswer(t, conn)
	announced := time.Duration(m.IsEdns0().Option[0].(*dns.EDNS0_TCP_KEEPALIVE).Timeout) * 100 * time.Millisecond
	if !closed(conn, time.Minute) {
		t.Fatal("still open after a minute")
	}
	if d := time.Since(begin); d < announced {
		t.Errorf("closed after %v, although %v were announced", d, announced)
	}
}

func tcpHalfQuery(t *testing.T) {
	conn := dialTCP(t, serve(t, nil, "127.0.0.1:0"))
	message := tcpMessageOf(t, challengeQuery())
	_, _ = conn.Write(message[:len(message)-1])
	if !closed(conn, time.Minute) {
		t.Fatal("still open after a minute")
	}
}
