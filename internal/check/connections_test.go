package check

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/poll"
)

// tcpServer answers over TCP, on each connection so many questions, and counts
// connections.
type tcpServer struct {
	net.Listener
	questions int
	silent    atomic.Bool
	accepted  atomic.Int32
	open      atomic.Int32
}

func newTCPServer(t *testing.T, questions int) *tcpServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tcpServer{Listener: l, questions: questions}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			s.open.Add(1)
			go s.serve(&dns.Conn{Conn: c})
		}
	}()
	return s
}

func (s *tcpServer) serve(c *dns.Conn) {
	defer s.open.Add(-1)
	defer c.Close()
	for range s.questions {
		q, err := c.ReadMsg()
		if err != nil {
			return
		}
		if s.silent.Load() {
			_, _ = io.Copy(io.Discard, c.Conn)
			return
		}
		if err := c.WriteMsg(new(dns.Msg).SetReply(q)); err != nil {
			return
		}
	}
}

func (s *tcpServer) ask(t *testing.T, c *Checker, name string) error {
	_, err := c.once(t.Context(), "tcp", s.Addr().String(), newQuery(name, dns.TypeTXT))
	return err
}

// Questions one after the other take one connection, which is closed when there are no
// more; those at once take one each.
func TestConnectionsAreUsedAgain(t *testing.T) {
	c, s := &Checker{}, newTCPServer(t, 1000)
	for i := range 100 {
		if err := s.ask(t, c, fmt.Sprintf("n%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.accepted.Load(); n > 20 { // one, but for each second that the machine stood still
		t.Errorf("%d connections", n)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := s.ask(t, c, "example"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.accepted.Load(); n > 25 {
		t.Errorf("%d connections for twenty questions at once", n)
	}
	poll.True(t, time.Minute, "all connections are closed", func() bool { return s.open.Load() == 0 })
	c.connections.mu.Lock()
	defer c.connections.mu.Unlock()
	if c.connections.count != 0 || len(c.connections.idle) != 0 {
		t.Errorf("%d connections are kept, %d addresses", c.connections.count, len(c.connections.idle))
	}
}

// A server may close a connection whenever it likes: the question is asked again.
func TestServerClosesItsConnections(t *testing.T) {
	for _, questions := range []int{1, 2, 3} {
		c, s := &Checker{}, newTCPServer(t, questions)
		for i := range 20 {
			if err := s.ask(t, c, "example"); err != nil {
				t.Errorf("a server that takes %d questions: the question %d: %v", questions, i, err)
			}
		}
	}
}

// A connection without an answer is not used again, and one that is kept does not
// live for long, however many questions there are.
func TestConnectionsThatAreNotUsedAgain(t *testing.T) {
	c, s := &Checker{}, newTCPServer(t, 1_000_000)
	if err := s.ask(t, c, "example"); err != nil {
		t.Fatal(err)
	}
	s.silent.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.once(ctx, "tcp", s.Addr().String(), newQuery("example", dns.TypeTXT)); err == nil {
		t.Error("an answer from a silent server")
	}
	s.silent.Store(false)
	began := time.Now()
	for s.accepted.Load() < 3 {
		if err := s.ask(t, c, "example"); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) > 30*connectionLifetime {
			t.Fatal("one connection is used for ever")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	c, s := &Checker{}, newTCPServer(t, 1000)
	client := &dns.Client{Net: "tcp", Timeout: 2 * time.Second}
	for range maxIdle + 20 {
		co, err := dial(t.Context(), client, s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.connections.put(s.Addr().String(), co)
	}
	c.connections.mu.Lock()
	defer c.connections.mu.Unlock()
	if c.connections.count > maxIdle {
		t.Errorf("%d are kept", c.connections.count)
	}
}
