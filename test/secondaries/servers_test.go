package secondaries

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/test/recipes"
)

// kind is a program that can be a secondary, set up from its recipe.
type kind struct {
	recipes.Kind
	within time.Duration // the bar for the median from change to visible
	env    []string      // beside ours
}

// kinds are all that have recipes.
var kinds = func() map[string]kind {
	bars := map[string]time.Duration{"nsd": 50 * time.Millisecond, "knot": 50 * time.Millisecond, "bind": time.Second, "powerdns": 3 * time.Second}
	list := map[string]kind{}
	for name, k := range recipes.Kinds {
		list[name] = kind{Kind: k, within: bars[name]}
	}
	return list
}()

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := recipes.Document(name)
	must(t, err)
	return text
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// secondary is a running program.
type secondary struct {
	kind
	t       *testing.T
	dir     string
	port    int
	primary int // its port
	secret  string
	cmd     *exec.Cmd
	done    chan struct{}
}

const docSecret = recipes.Secret

// local is an address of this machine.
func local(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}

// startSecondary starts a program that transfers from the primary at a port.
func startSecondary(t *testing.T, k kind, primary int) *secondary {
	t.Helper()
	s := &secondary{kind: k, t: t, dir: t.TempDir(), port: freePort(t), primary: primary, secret: docSecret}
	t.Cleanup(s.stop)
	s.start()
	return s
}

func (s *secondary) start() {
	s.t.Helper()
	args, err := s.Command(s.dir, local(s.port), local(s.primary), s.secret)
	must(s.t, err)
	log, err := os.OpenFile(s.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = log, log, s.dir
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() { _ = cmd.Wait(); close(done) }()
}

// stop ends the program with its children.
func (s *secondary) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
	s.cmd = nil
	if s.t.Failed() {
		b, _ := os.ReadFile(s.dir + "/log")
		s.t.Logf("%s: %s", s.Heading, b[max(0, len(b)-3000):])
	}
}

// overlap is for how long what is older may still be answered. While NSD reloads, the
// processes of before and after both answer for a moment, on a busy machine a longer one.
func (s *secondary) overlap() time.Duration {
	if s.Heading == "NSD" {
		return 100 * time.Millisecond
	}
	return 0
}

func (s *secondary) address() string { return local(s.port).String() }

// freePort returns a port that is free for UDP and TCP.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		c, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			c.Close()
			return port
		}
	}
}
