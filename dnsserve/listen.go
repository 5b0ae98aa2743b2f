package dnsserve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
)

// bind binds address for TCP and UDP and adds the sockets to s.
func (s *Server) bind(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: write host:port, [address]:port or :port", address)
	}
	if host != "" {
		network := "tcp6"
		if addr, err := netip.ParseAddr(host); err != nil {
			return fmt.Errorf("listen address %q: the host must be an IP address of this machine, or empty for all", address)
		} else if addr.Unmap().Is4() {
			network = "tcp4"
		}
		return s.bindOne(network, host, port)
	}
	// Two sockets instead of a dual-stack one: IPv4 stays IPv4.
	if err := s.bindOne("tcp4", "0.0.0.0", port); err != nil {
		return err
	}
	if port == "0" {
		port = strconv.Itoa(int(s.tcp[len(s.tcp)-1].addr().Port()))
	}
	err = s.bindOne("tcp6", "::", port)
	if errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		s.config.Log.Warn("this machine has no IPv6; serving DNS over IPv4 only", "address", address)
		return nil
	}
	return err
}

// bindOne binds one address. TCP comes first and without SO_REUSEPORT: that
// finds out whether another instance is there, which the UDP sockets, sharing
// the port among themselves, would not.
func (s *Server) bindOne(network, host, port string) error {
	for try := 0; ; try++ {
		listener, err := net.Listen(network, net.JoinHostPort(host, port))
		if err != nil {
			return bindError(err)
		}
		l := newTCPListener(listener, s.config)
		sockets, err := bindUDP(l.addr(), s.config)
		if err != nil {
			listener.Close()
			if port == "0" && try < 10 {
				continue // that port is free for TCP, but not for UDP
			}
			return bindError(err)
		}
		s.tcp = append(s.tcp, l)
		s.udp = append(s.udp, sockets...)
		return nil
	}
}

const (
	maxSockets = 8  // for one address; four of them answer a million queries a second
	udpBatch   = 32 // packets in one system call
	// maxUDPQuery is larger than any query that is not an attack: a name, and
	// EDNS options. A longer one is cut by the kernel and found malformed.
	maxUDPQuery = 4096
	maxFailures = 1000    // of reading, in a row: then it is not the packets
	receiveSize = 4 << 20 // of the kernel's buffer: bursts wait there while a batch is answered
)

// bindUDP binds as many sockets as there are processors to one address, where
// the system can spread packets over them.
func bindUDP(addr netip.AddrPort, config Config) ([]*udpSocket, error) {
	n := 1
	lc := net.ListenConfig{}
	if reusePort != nil {
		n, lc.Control = min(runtime.GOMAXPROCS(0), maxSockets), reusePort
	}
	var sockets []*udpSocket
	for range n {
		conn, err := lc.ListenPacket(context.Background(), udpNetwork(addr), addr.String())
		if err == nil {
			conn := conn.(*net.UDPConn)
			_ = conn.SetReadBuffer(receiveSize) // as much as the system allows
			var u *udpSocket
			if u, err = newUDPSocket(conn, addr.Addr(), config.Log); err == nil {
				sockets = append(sockets, u)
				continue
			}
			conn.Close()
		}
		for _, u := range sockets {
			u.close()
		}
		return nil, err
	}
	return sockets, nil
}

func udpNetwork(addr netip.AddrPort) string {
	if addr.Addr().Is4() {
		return "udp4"
	}
	return "udp6"
}

// bindError adds what to do about the usual reasons.
func bindError(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; stop the program that has it, or choose another address with --listen", err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w; ports below 1024 need the capability NET_BIND_SERVICE, or choose a higher one with --listen", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w; --listen takes an address of this machine", err)
	}
	return err
}
