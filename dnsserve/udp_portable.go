//go:build !(linux && (amd64 || arm64)) || portable

package dnsserve

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// udpSocket reads queries from one UDP socket and answers them: the way that
// works everywhere, through Go's network poller. See udp_linux.go for the fast one.
type udpSocket struct {
	conn     *net.UDPConn
	batch    batchConn
	wildcard bool // bound to all addresses: the answer must leave from the one asked
	v6       bool
	log      *slog.Logger
}

// batchConn is what ipv4.PacketConn and ipv6.PacketConn have in common: one
// system call for many packets on Linux, one for each elsewhere.
type batchConn interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

func newUDPSocket(conn *net.UDPConn, addr netip.Addr, log *slog.Logger) (*udpSocket, error) {
	u := &udpSocket{conn: conn, wildcard: addr.IsUnspecified(), v6: addr.Is6(), log: log}
	var err error
	if u.v6 {
		pc := ipv6.NewPacketConn(conn)
		if u.wildcard {
			err = pc.SetControlMessage(ipv6.FlagDst, true)
		}
		u.batch = pc
	} else {
		pc := ipv4.NewPacketConn(conn)
		if u.wildcard {
			err = pc.SetControlMessage(ipv4.FlagDst, true)
		}
		u.batch = pc
	}
	return u, err
}

// serve answers until stop is called, or returns why it cannot go on.
func (u *udpSocket) serve(r *responder) error {
	in, out := make([]ipv4.Message, udpBatch), make([]ipv4.Message, udpBatch)
	answers := make([][]byte, udpBatch)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, maxUDPQuery)}
		if u.wildcard {
			in[i].OOB = make([]byte, 128)
		}
		out[i].Buffers = make([][]byte, 1)
		answers[i] = make([]byte, 0, maxUDPAnswer)
	}
	for failures := 0; ; {
		n, err := u.batch.ReadBatch(in, 0)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if failures++; failures > maxFailures {
				return fmt.Errorf("reading queries from UDP: %w", err)
			}
			u.log.Debug("reading DNS queries from UDP", "err", err) // an ICMP error of an earlier answer
			continue
		}
		failures = 0
		m := 0
		for i := range in[:n] {
			from := in[i].Addr.(*net.UDPAddr)
			answer := r.respond(answers[m][:0], in[i].Buffers[0][:in[i].N], from.AddrPort().Addr().Unmap(), false)
			if len(answer) == 0 {
				continue
			}
			answers[m] = answer
			out[m].Buffers[0], out[m].Addr, out[m].OOB = answer, from, nil
			if u.wildcard {
				out[m].OOB = u.source(in[i].OOB[:in[i].NN])
			}
			m++
		}
		u.send(out[:m])
	}
}

// send sends every message; one that the system refuses (source port 0, say)
// is left out.
func (u *udpSocket) send(out []ipv4.Message) {
	for len(out) > 0 {
		n, err := u.batch.WriteBatch(out, 0)
		if err != nil {
			u.log.Debug("sending a DNS answer over UDP", "to", out[0].Addr, "err", err)
			n = max(n, 0) + 1
		}
		out = out[n:]
	}
}

// source turns the control message of a query into that of its answer: from
// the address that was asked.
func (u *udpSocket) source(oob []byte) []byte {
	if u.v6 {
		var cm ipv6.ControlMessage
		if cm.Parse(oob) != nil {
			return nil
		}
		return (&ipv6.ControlMessage{Src: cm.Dst, IfIndex: linkLocalScope(cm)}).Marshal()
	}
	var cm ipv4.ControlMessage
	if cm.Parse(oob) != nil {
		return nil
	}
	return (&ipv4.ControlMessage{Src: cm.Dst}).Marshal()
}

// linkLocalScope returns the interface that a link-local destination needs.
func linkLocalScope(cm ipv6.ControlMessage) int {
	if cm.Dst.IsLinkLocalUnicast() {
		return cm.IfIndex
	}
	return 0
}

// stop makes serve return.
func (u *udpSocket) stop() { _ = u.conn.SetReadDeadline(time.Unix(1, 0)) }

func (u *udpSocket) close() { u.conn.Close() }
