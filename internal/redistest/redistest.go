// Package redistest runs a real redis-server for a test.
package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/poll"
)

// Server is a redis-server process on a free port of 127.0.0.1, without
// persistence unless told otherwise. It ends with the test.
type Server struct {
	Addr string // host:port

	t    testing.TB
	bin  string
	args []string
	env  []string
	cmd  *exec.Cmd
	out  *bytes.Buffer
	done chan struct{} // closed when the process has ended
}

// Start starts a server with further configuration directives in redis-server's
// command-line form ("--requirepass", "x"). A machine without redis-server fails
// the test: nothing is skipped. Without "--dir" every Run has an empty directory.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartAt(t, freeAddress(t), args...)
}

// StartAt is Start at an address (127.0.0.1:port) of the caller's choice.
func StartAt(t testing.TB, address string, args ...string) *Server {
	t.Helper()
	return start(t, address, append([]string{"--save", "", "--appendonly", "no"}, args...))
}

// StartSentinel starts a Sentinel that watches master under the name "signpost".
func StartSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	conf := t.TempDir() + "/sentinel.conf"
	text := fmt.Sprintf("sentinel monitor signpost %s %s 1\nsentinel down-after-milliseconds signpost 500\nsentinel failover-timeout signpost 2000\n", host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, freeAddress(t), []string{conf, "--sentinel"})
}

func start(t testing.TB, address string, args []string) *Server {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redis-server is needed for this test; install it with: apt-get install redis-server")
	}
	s := &Server{Addr: address, t: t, bin: bin, args: understood(args)}
	t.Cleanup(s.Kill)
	s.Run()
	return s
}

// Run starts the process (again, after Kill) and waits until it accepts connections.
func (s *Server) Run() {
	s.t.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	args := slices.Clone(s.args)
	if i := slices.Index(args, "--tls-port"); i >= 0 { // TLS on the port, nothing in the clear
		args[i+1], port = port, "0"
	}
	args = append(args, "--bind", host, "--port", port)
	if !slices.Contains(args, "--dir") {
		args = append(args, "--dir", s.t.TempDir())
	}
	s.out = &bytes.Buffer{}
	s.cmd = exec.Command(s.bin, args...)
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	s.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd)
	err := poll.Try(context.Background(), 10*time.Second, "redis-server accepts connections at "+s.Addr, func() error {
		conn, err := net.Dial("tcp", s.Addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-done:
			s.t.Fatalf("redis-server ended at once: %s", s.out)
		default:
		}
		return err
	})
	if err != nil {
		s.t.Fatalf("%v: %s", err, s.out)
	}
}

// Setenv sets environment variables (NAME=value), from the next Run on.
func (s *Server) Setenv(env ...string) { s.env = env }

// Kill ends the process and with it everything in it. Killing twice is fine.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Pause stops the process as SIGSTOP does: connections stay, nothing is answered.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// URL returns the server's redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Client returns a client for looking at what is in the server.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	s.t.Cleanup(func() { c.Close() })
	return c
}

// Do runs a command and fails the test if it fails.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	if args[0] == "ACL" {
		args = understood(args)
	}
	v, err := s.Client().Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return v
}

// AddSlots gives a server of a Redis Cluster the slots from first to last.
func (s *Server) AddSlots(first, last int) {
	s.t.Helper()
	args := []any{"CLUSTER", "ADDSLOTS"}
	for slot := first; slot <= last; slot++ {
		args = append(args, slot)
	}
	s.Do(args...)
}

func freeAddress(t testing.TB) string { return "127.0.0.1:" + strconv.Itoa(FreePort(t)) }

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
