package check

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Thousands of domains are often at the same few servers. A connection for each
// question would soon use up the ports towards them, as each port rests for a minute
// after its use, so connections are used again (RFC 7766 section 6.2.1).
const (
	// connectionLifetime is how long a connection is used. Behind an older one there may
	// be a process that has read its zones before they were changed: some servers start
	// another for that, and the old one goes on answering on the connections that it has.
	// Where thousands of domains are looked at, a second is long.
	connectionLifetime = time.Second

	maxIdle = 256 // connections, in all
)

// connections are those over TCP that wait for the next question. The zero value has
// none. Its methods may be called from many goroutines.
type connections struct {
	mu    sync.Mutex
	idle  map[string][]*connection // by address; the one used last is the last
	count int
}

// connection is used by one question at a time.
type connection struct {
	*dns.Conn
	until time.Time // when it may not be used again
	timer *time.Timer
}

// exchange asks one question over TCP. It takes no longer than the client's timeout,
// or twice that if a server does not close a connection that it has given up.
func (c *connections) exchange(ctx context.Context, client *dns.Client, q *dns.Msg, address string) (*dns.Msg, error) {
	for {
		co := c.take(address)
		used := co != nil
		if !used {
			var err error
			if co, err = dial(ctx, client, address); err != nil {
				return nil, err
			}
		}
		m, _, err := client.ExchangeWithConnContext(ctx, q, co.Conn)
		if err == nil {
			c.put(address, co)
			return m, nil
		}
		_ = co.Close()
		var t net.Error
		if !used || ctx.Err() != nil || errors.As(err, &t) && t.Timeout() {
			return nil, err
		} // else the server has closed it meanwhile
	}
}

func dial(ctx context.Context, client *dns.Client, address string) (*connection, error) {
	co, err := client.DialContext(ctx, address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: co, until: time.Now().Add(connectionLifetime)}, nil
}

func (c *connections) take(address string) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.idle[address]
	if len(list) == 0 {
		return nil
	}
	co := list[len(list)-1]
	c.remove(address, len(list)-1)
	co.timer.Stop()
	return co
}

// put keeps a connection whose question has been answered.
func (c *connections) put(address string, co *connection) {
	left := time.Until(co.until)
	c.mu.Lock()
	defer c.mu.Unlock()
	if left <= 0 || c.count >= maxIdle {
		_ = co.Close()
		return
	}
	if c.idle == nil {
		c.idle = map[string][]*connection{}
	}
	c.idle[address] = append(c.idle[address], co)
	c.count++
	co.timer = time.AfterFunc(left, func() { c.expire(address, co) })
}

func (c *connections) expire(address string, co *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.idle[address], co); i >= 0 { // else it was taken just now
		c.remove(address, i)
		_ = co.Close()
	}
}

func (c *connections) remove(address string, i int) {
	list := c.idle[address]
	c.count--
	if len(list) == 1 {
		delete(c.idle, address)
		return
	}
	c.idle[address] = slices.Delete(list, i, i+1)
}
