package faults

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/redistest"
)

// proxy passes on what is said to and by a server, each piece after a delay.
type proxy struct {
	net.Listener
	delay atomic.Int64 // of what the server says, in nanoseconds
}

func newProxy(t testing.TB, server string) *proxy {
	p := &proxy{}
	p.Listener = redistest.Relay(t, server, func(client, upstream net.Conn) {
		go p.pass(upstream, client, false)
		go p.pass(client, upstream, true)
	})
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
