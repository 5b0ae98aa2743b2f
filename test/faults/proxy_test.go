package faults

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// proxy passes on what is said to and by a server, each piece after a delay.
type proxy struct {
	net.Listener
	delay atomic.Int64 // of what the server says, in nanoseconds
}

func newProxy(t testing.TB, server string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			go p.pass(upstream, client, false)
			go p.pass(client, upstream, true)
		}
	}()
	return p
}

func (p *proxy) pass(to, from net.Conn, delayed bool) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if delayed {
			time.Sleep(time.Duration(p.delay.Load()))
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
