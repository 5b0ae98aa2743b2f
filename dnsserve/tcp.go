package dnsserve

import (
	"bufio"
	"container/list"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	tcpIdle     = 10 * time.Second       // without a query (RFC 7766 section 6.2.3)
	tcpAfter    = 500 * time.Millisecond // without a query after a transfer: NSD 4.6, with several primaries, at times waits for the end
	tcpMessage  = 5 * time.Second        // for the whole of a query once it has begun, and for taking an answer
	maxTCPQuery = 4096                   // octets kept of a query; the rest is read and thrown away

	// tcpBuffer is what the kernel may keep for a connection, each way: the largest
	// answer fits. Its default lets a client that never reads have megabytes.
	tcpBuffer = 64 << 10
)

// tcpListener serves the connections of one listener: queries may be
// pipelined, and are answered in order.
type tcpListener struct {
	listener     net.Listener
	max          int
	maxPerClient int
	log          *slog.Logger
	tls          *tls.Config // nil for none

	mu       sync.Mutex
	conns    *list.List         // of *tcpConn, the one that asked last at the back
	clients  map[netip.Addr]int // number of connections; see clientOf
	stopping bool
	wg       sync.WaitGroup
}

type tcpConn struct {
	*net.TCPConn
	address netip.Addr    // of the client
	client  netip.Addr    // in clients
	place   *list.Element // in conns
}

func newTCPListener(l net.Listener, c Config) *tcpListener {
	return &tcpListener{
		listener: l, max: c.MaxConnections, maxPerClient: c.MaxConnectionsPerClient, log: c.Log,
		conns: list.New(), clients: map[netip.Addr]int{},
	}
}

// clientOf returns what counts as one client: an IPv4 address, or an IPv6
// network of 64 bits, which is what one host gets.
func clientOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	return netip.PrefixFrom(a.WithZone(""), 64).Masked().Addr()
}

func (l *tcpListener) addr() netip.AddrPort {
	return l.listener.Addr().(*net.TCPAddr).AddrPort()
}

// serve accepts connections until stop is called and all have ended.
func (l *tcpListener) serve(r *responder) error {
	defer l.wg.Wait()
	for pause := time.Duration(0); ; {
		conn, err := l.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // out of file descriptors, most likely
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.log.Warn("a TCP connection could not be accepted; trying on", "err", err)
			time.Sleep(pause)
			continue
		}
		pause = 0
		c := l.add(conn.(*net.TCPConn))
		if c == nil {
			continue
		}
		l.wg.Go(func() {
			defer l.remove(c)
			if stream := l.stream(c); stream != nil {
				l.converse(c, stream, r)
			}
		})
	}
}

// stream returns what messages come through: the connection, or TLS inside it, nil if
// the client does not get that far.
func (l *tcpListener) stream(c *tcpConn) io.ReadWriter {
	if l.tls == nil {
		return c
	}
	_ = c.SetDeadline(time.Now().Add(tcpMessage))
	secure := tls.Server(c, l.tls)
	if secure.Handshake() != nil || secure.ConnectionState().NegotiatedProtocol == "" { // RFC 9103 section 7.1: ALPN is a must
		return nil
	}
	return secure
}

// converse answers the queries of one connection. Answers are sent when the
// client has no further query waiting.
func (l *tcpListener) converse(c *tcpConn, stream io.ReadWriter, r *responder) {
	in, out := bufio.NewReaderSize(stream, 1024), bufio.NewWriterSize(stream, 2048)
	defer out.Flush()
	var query, answer []byte
	for idle := tcpIdle; ; {
		_ = c.SetReadDeadline(time.Now().Add(idle))
		if l.isStopping() {
			return
		}
		if _, err := in.Peek(1); err != nil {
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(tcpMessage))
		var err error
		if query, err = readMessage(in, query[:0]); err != nil {
			return
		}
		l.touch(c)
		if r.transfers != nil && r.transfers.asked(query) {
			send := func(message []byte) error {
				_ = c.SetWriteDeadline(time.Now().Add(tcpMessage))
				return writeMessage(out, message)
			}
			if r.transfer(send, query, c.address) != nil || out.Flush() != nil {
				return
			}
			idle = tcpAfter
			continue
		}
		idle = tcpIdle
		if answer = r.respond(answer[:0], query, c.address, true); len(answer) > 0 {
			_ = c.SetWriteDeadline(time.Now().Add(tcpMessage))
			_ = writeMessage(out, answer) // an error stays with the writer
		}
		if !hasMessage(in) && out.Flush() != nil {
			return
		}
	}
}

// writeMessage writes a message in the form of RFC 1035 section 4.2.2.
func writeMessage(out *bufio.Writer, message []byte) error {
	_, _ = out.Write(binary.BigEndian.AppendUint16(out.AvailableBuffer(), uint16(len(message)))) // so that nothing is allocated
	_, err := out.Write(message)
	return err
}

// hasMessage reports whether a whole message waits in the buffer.
func hasMessage(in *bufio.Reader) bool {
	if in.Buffered() < 2 {
		return false
	}
	size, _ := in.Peek(2)
	return in.Buffered()-2 >= int(binary.BigEndian.Uint16(size))
}

// readMessage appends the next message (RFC 1035 section 4.2.2) to buf, at most
// maxTCPQuery octets of it.
func readMessage(in *bufio.Reader, buf []byte) ([]byte, error) {
	size, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(size))
	_, _ = in.Discard(len(size))
	keep := min(n, maxTCPQuery)
	if cap(buf) < keep {
		buf = make([]byte, keep)
	}
	if _, err := io.ReadFull(in, buf[:keep]); err != nil {
		return nil, err
	}
	_, err = in.Discard(n - keep)
	return buf[:keep], err
}

// add registers a connection. When the client has too many, or all together
// are, the one that has been silent for longest gives way: a newcomer is always
// served, even where all clients seem to come from one address (SNAT).
func (l *tcpListener) add(conn *net.TCPConn) *tcpConn {
	_ = conn.SetReadBuffer(tcpBuffer)
	_ = conn.SetWriteBuffer(tcpBuffer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		conn.Close()
		return nil
	}
	c := &tcpConn{TCPConn: conn, address: conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()}
	c.client = clientOf(c.address)
	switch {
	case l.clients[c.client] >= l.maxPerClient:
		e := l.conns.Front()
		for e.Value.(*tcpConn).client != c.client {
			e = e.Next()
		}
		l.drop(e.Value.(*tcpConn))
	case l.conns.Len() >= l.max:
		l.drop(l.conns.Front().Value.(*tcpConn))
	}
	c.place = l.conns.PushBack(c)
	l.clients[c.client]++
	return c
}

func (l *tcpListener) remove(c *tcpConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.place != nil {
		l.drop(c)
	}
}

// drop closes a connection and forgets it. The caller holds mu.
func (l *tcpListener) drop(c *tcpConn) {
	c.Close()
	l.conns.Remove(c.place)
	c.place = nil
	if l.clients[c.client]--; l.clients[c.client] == 0 {
		delete(l.clients, c.client)
	}
}

// touch marks that the connection has just asked.
func (l *tcpListener) touch(c *tcpConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.place != nil { // it has not just given way to another
		l.conns.MoveToBack(c.place)
	}
}

func (l *tcpListener) isStopping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping
}

// stop takes no more connections and lets the open ones finish the query that
// they are at.
func (l *tcpListener) stop() {
	l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	for e := l.conns.Front(); e != nil; e = e.Next() {
		c := e.Value.(*tcpConn)
		_ = c.SetReadDeadline(time.Unix(1, 0))
		time.AfterFunc(drainTime, func() { c.Close() })
	}
}
