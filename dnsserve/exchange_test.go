package dnsserve

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// dialogue is a connection to a server, over UDP or TCP, for messages of any kind.
type dialogue struct {
	conn net.Conn
	in   *bufio.Reader // over TCP
}

var networks = [...]string{"udp", "tcp"}

// dial connects until the test ends.
func dial(t testing.TB, s *Server, network string) *dialogue {
	t.Helper()
	d := connect(t, s, network)
	t.Cleanup(func() { d.conn.Close() })
	return d
}

func connect(t testing.TB, s *Server, network string) *dialogue {
	t.Helper()
	conn, err := net.Dial(network, s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	return &dialogue{conn: conn, in: bufio.NewReader(conn)}
}

// exchange sends msg and returns the answer, nil for silence. A question sent
// behind it tells silence from slowness: what comes from one socket is answered in order.
func (d *dialogue) exchange(t testing.TB, msg []byte) []byte {
	t.Helper()
	mark := new(dns.Msg).SetQuestion("acme.example.com.", dns.TypeSOA)
	if len(msg) >= 2 {
		mark.Id = ^binary.BigEndian.Uint16(msg)
	}
	behind, err := mark.Pack()
	if err != nil {
		t.Fatal(err)
	}
	_ = d.conn.SetDeadline(time.Now().Add(20 * time.Second))
	d.send(t, msg)
	d.send(t, behind)
	var answer []byte
	for {
		got := d.receive(t)
		switch {
		case len(got) < headerLen:
			t.Fatalf("%x: answered with %x, which is no message", msg, got)
		case binary.BigEndian.Uint16(got) == mark.Id:
			return answer
		case answer != nil:
			t.Fatalf("%x: answered twice, with %x and %x", msg, answer, got)
		}
		answer = got
	}
}

func (d *dialogue) send(t testing.TB, msg []byte) {
	t.Helper()
	if _, udp := d.conn.(*net.UDPConn); !udp {
		msg = append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
	}
	if _, err := d.conn.Write(msg); err != nil {
		t.Fatal(err)
	}
}

func (d *dialogue) receive(t testing.TB) []byte {
	t.Helper()
	buf := make([]byte, dns.MaxMsgSize)
	if _, udp := d.conn.(*net.UDPConn); udp {
		n, err := d.conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return buf[:n]
	}
	if _, err := io.ReadFull(d.in, buf[:2]); err != nil {
		t.Fatal(err)
	}
	n := binary.BigEndian.Uint16(buf)
	if _, err := io.ReadFull(d.in, buf[:n]); err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}
