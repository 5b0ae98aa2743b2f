package dnsserve

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"
)

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
