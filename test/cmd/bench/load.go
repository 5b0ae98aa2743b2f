package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The load: queries in batched system calls, so that the generator costs less
// than the servers and does not hide their differences.
const (
	sockets = 8 // by which a server can tell its clients apart

	// batchSize is how many queries a socket sends in one system call, and has under
	// way. All of them together fit into a receive buffer of the default size: lost
	// ones would make a server idle, and its queries look dearer than they are.
	batchSize = 32
	maxAnswer = 1500
)

type mmsghdr struct {
	unix.Msghdr
	length uint32
	_      uint32
}

// client is one UDP socket of the load, connected to the server.
type client struct {
	fd       int
	in, out  [batchSize]mmsghdr
	inVec    [batchSize]unix.Iovec
	outVec   [batchSize]unix.Iovec
	answers  [batchSize][maxAnswer]byte
	next     int
	underway int
}

func newClient(server string) (*client, error) {
	addr, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		return nil, err
	}
	c := &client{next: rand.IntN(1 << 20)}
	if c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
		return nil, err
	}
	wait := unix.NsecToTimeval((100 * time.Millisecond).Nanoseconds()) // then an answer counts as lost
	if err := errors.Join(unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Connect(c.fd, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())})); err != nil {
		return nil, err
	}
	for i := range batchSize {
		c.inVec[i].Base = &c.answers[i][0]
		c.inVec[i].SetLen(maxAnswer)
		c.in[i].Iov, c.in[i].Iovlen = &c.inVec[i], 1
		c.out[i].Iov, c.out[i].Iovlen = &c.outVec[i], 1
	}
	return c, nil
}

// send sends n queries, chosen at random.
func (c *client) send(queries [][]byte, n int) {
	for i := range n {
		c.next++ // cheaper than a random one; the queries are in random order
		q := queries[c.next%len(queries)]
		c.outVec[i].Base = &q[0]
		c.outVec[i].SetLen(len(q))
	}
	sent, _, _ := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.out[0])), uintptr(n), 0, 0, 0)
	c.underway += int(sent)
}

// receive returns how many answers have come; 0 means that what is under way is lost.
func (c *client) receive() int {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.in[0])), batchSize, unix.MSG_WAITFORONE, 0, 0)
	if errno != 0 {
		c.underway = 0
		return 0
	}
	c.underway -= int(n)
	return int(n)
}

// measured is what one server did under one load.
type measured struct {
	qps      float64
	cpu      time.Duration // of the server, for each answered query
	p50, p99 time.Duration // under half of that load
}

// measure loads a server as far as it goes, and then half as much.
func measure(s *server, queries [][]byte, d time.Duration) (m measured, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clients := make([]*client, sockets)
	for i := range clients {
		if clients[i], err = newClient(s.address); err != nil {
			return m, err
		}
		defer unix.Close(clients[i].fd)
	}
	saturate(clients, queries, d/5) // warm up
	cpu, begin := s.cpu(), time.Now()
	answered := saturate(clients, queries, d)
	took := time.Since(begin)
	if answered == 0 {
		return m, fmt.Errorf("%s answers nothing", s.name)
	}
	m.cpu = (s.cpu() - cpu) / time.Duration(answered)
	m.qps = float64(answered) / took.Seconds()
	m.p50, m.p99 = latency(clients[0], queries, m.qps/2, d/2)
	return m, nil
}

// saturate keeps every client's window full for d and returns the number of answers.
func saturate(clients []*client, queries [][]byte, d time.Duration) (answered int) {
	for _, c := range clients {
		c.send(queries, batchSize)
	}
	for end := time.Now().Add(d); time.Now().Before(end); {
		for _, c := range clients {
			answered += c.receive()
			c.send(queries, batchSize-c.underway)
		}
	}
	for _, c := range clients {
		for c.underway > 0 {
			answered += c.receive()
		}
	}
	return answered
}

// latency sends small bursts at the given rate and returns the times to the last answer of each.
func latency(c *client, queries [][]byte, rate float64, d time.Duration) (p50, p99 time.Duration) {
	const burst = 4
	interval := time.Duration(float64(time.Second) * burst / rate)
	var times []time.Duration
	next := time.Now()
	for end := next.Add(d); next.Before(end); next = next.Add(interval) {
		for time.Now().Before(next) { // sleeping is not exact enough
		}
		begin := time.Now()
		c.send(queries, burst)
		for c.underway > 0 {
			c.receive()
		}
		times = append(times, time.Since(begin))
		if now := time.Now(); now.After(next.Add(interval)) {
			next = now // a server that is late is not punished twice
		}
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100]
}
