//go:build linux && (amd64 || arm64) && !portable

package dnsserve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpSocket reads queries from one UDP socket and answers them: a batch is
// received by one system call and its answers are sent by another, on an
// operating system thread of its own that waits in the kernel. Nearly all the
// time of a DNS server goes into system calls, so this is what makes it fast;
// docs/performance.md has the figures.
//
// The calls go through Syscall6, never RawSyscall: Go must know that the thread
// may wait, or under load nothing else would run.
type udpSocket struct {
	fd       int
	wildcard bool // bound to all addresses: the answer must leave from the one asked
	v6       bool
	stopping atomic.Bool
	log      *slog.Logger
}

// newUDPSocket takes over conn's socket. Not by conn.File: that would leave it in
// Go's network poller, which would wake up for every packet.
func newUDPSocket(conn *net.UDPConn, addr netip.Addr, log *slog.Logger) (*udpSocket, error) {
	u := &udpSocket{wildcard: addr.IsUnspecified(), v6: addr.Is6(), log: log}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if e := raw.Control(func(fd uintptr) { u.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); e != nil || err != nil {
		return nil, errors.Join(e, err)
	}
	conn.Close()
	err = unix.SetNonblock(u.fd, false)
	if err == nil { // so that stop is seen, should it not wake the reader
		err = unix.SetsockoptTimeval(u.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	}
	if err == nil && u.wildcard {
		if u.v6 {
			err = unix.SetsockoptInt(u.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		} else {
			err = unix.SetsockoptInt(u.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
	}
	if err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	syscall.Msghdr
	length uint32
	_      uint32
}

// yieldEvery is how long a reader goes on before it yields. From a goroutine that
// has not been scheduled for 10 ms Go takes the processor away at every system
// call that it is in, and hands it to another thread, which costs more than all
// of our own work.
const yieldEvery = 5 * time.Millisecond

// udpSlot is the memory of one query in a batch, and of its answer.
type udpSlot struct {
	in, out syscall.Iovec
	from    [syscall.SizeofSockaddrInet6]byte
	control [64]byte
	query   [maxUDPQuery]byte
	answer  [maxUDPAnswer]byte
}

// serve answers until stop is called, or returns why it cannot go on.
func (u *udpSocket) serve(r *responder) error {
	slots := make([]udpSlot, udpBatch)
	in, out := make([]mmsghdr, udpBatch), make([]mmsghdr, udpBatch)
	for i := range slots {
		s := &slots[i]
		s.in.Base = &s.query[0]
		s.in.SetLen(len(s.query))
		in[i].Name, in[i].Iov, in[i].Iovlen = &s.from[0], &s.in, 1
	}
	yielded, stopped := time.Now(), time.Time{}
	for failures, round := 0, 0; ; round++ {
		if round%16 == 0 && time.Since(yielded) > yieldEvery {
			runtime.Gosched()
			yielded = time.Now()
		}
		for i := range in { // the kernel has overwritten these
			in[i].Namelen = uint32(len(slots[i].from))
			if u.wildcard {
				in[i].Control = &slots[i].control[0]
				in[i].SetControllen(len(slots[i].control))
			}
		}
		stopping, wait := u.stopping.Load(), unix.MSG_WAITFORONE
		if stopping {
			wait = unix.MSG_DONTWAIT
			if stopped.IsZero() {
				stopped = time.Now()
			}
		}
		n, errno := mmsg(unix.SYS_RECVMMSG, u.fd, in, wait)
		if errno != 0 {
			if stopping {
				return nil
			}
			if errno == unix.EAGAIN {
				continue // nobody has asked for a while
			}
			if failures++; failures > maxFailures && errno != unix.EINTR {
				return fmt.Errorf("reading queries from UDP: %w", errno)
			}
			continue // an ICMP error of an earlier answer, or a signal
		}
		failures = 0
		m := 0
		for i := range in[:n] {
			s := &slots[i]
			answer := r.respond(s.answer[:0], s.query[:in[i].length], u.client(&s.from), false)
			if len(answer) == 0 {
				continue
			}
			s.out.Base = &answer[0] // in s.answer, unless it did not fit there
			s.out.SetLen(len(answer))
			out[m].Name, out[m].Namelen, out[m].Iov, out[m].Iovlen = in[i].Name, in[i].Namelen, &s.out, 1
			if u.wildcard {
				answerFrom(s.control[:in[i].Controllen])
				out[m].Control, out[m].Controllen = in[i].Control, in[i].Controllen
			}
			m++
		}
		u.send(out[:m])
		if stopping && (m == 0 || time.Since(stopped) > drainTime) {
			return nil
		}
	}
}

// send sends every message; one that the system refuses (source port 0, say)
// is left out.
func (u *udpSocket) send(out []mmsghdr) {
	for len(out) > 0 {
		n, errno := mmsg(unix.SYS_SENDMMSG, u.fd, out, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			u.log.Debug("sending a DNS answer over UDP", "err", errno)
			n = 1
		}
		out = out[n:]
	}
}

// mmsg calls recvmmsg or sendmmsg.
func mmsg(call uintptr, fd int, msgs []mmsghdr, flags int) (int, syscall.Errno) {
	//nolint:gosec // the kernel fills in what msgs points to; all of it lives in serve
	n, _, errno := syscall.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), uintptr(flags), 0, 0)
	return int(n), errno
}

// client returns the address in a struct sockaddr.
func (u *udpSocket) client(from *[syscall.SizeofSockaddrInet6]byte) netip.Addr {
	if u.v6 {
		return netip.AddrFrom16([16]byte(from[8:24])).Unmap()
	}
	return netip.AddrFrom4([4]byte(from[4:8]))
}

// answerFrom turns the control message of a query, which says to what address it
// came, into that of its answer, which says from what address it goes: they are
// the same but for the interface, which routing decides.
func answerFrom(control []byte) {
	const head = syscall.SizeofCmsghdr
	if len(control) < head+4 {
		return
	}
	switch level := binary.NativeEndian.Uint32(control[8:]); {
	case level == unix.IPPROTO_IP: // struct in_pktinfo: interface, local address, destination
		clear(control[head : head+4])
	case level == unix.IPPROTO_IPV6 && len(control) >= head+20: // struct in6_pktinfo: address, interface
		if linkLocal := control[head] == 0xfe && control[head+1]&0xc0 == 0x80; !linkLocal {
			clear(control[head+16 : head+20])
		}
	}
}

// stop makes serve return once it has answered what has arrived already.
func (u *udpSocket) stop() {
	u.stopping.Store(true)
	_ = unix.Shutdown(u.fd, unix.SHUT_RD) // says that there is no connection, and wakes the reader all the same
}

func (u *udpSocket) close() { _ = unix.Close(u.fd) }
