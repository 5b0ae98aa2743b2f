package dnsserve

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

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
