package secondaries

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kind is a program that can be a secondary, set up from its recipe in
// docs/secondaries.md.
type kind struct {
	document string // with its recipe, in docs; secondaries.md if empty
	heading  string // of its recipe

	// prepare writes what the program needs into dir. Blocks are the recipe's, in which
	// the primary's address and the secret are those of the test; it returns the command.
	prepare func(t *testing.T, dir string, port int, blocks []string) []string

	primary func(port int) string // the primary's address, as the program writes it
	within  time.Duration         // the bar for the median from change to visible
}

var kinds = map[string]kind{
	"nsd": {
		heading: "NSD", within: 50 * time.Millisecond,
		primary: func(port int) string { return fmt.Sprintf("127.0.0.1@%d", port) },
		prepare: func(t *testing.T, dir string, port int, blocks []string) []string {
			write(t, dir, "nsd.conf", fmt.Sprintf("server:\n  ip-address: 127.0.0.1@%d\n  username: \"\"\n  chroot: \"\"\n  zonesdir: %q\n  database: \"\"\n  pidfile: %q\n  xfrdfile: %q\n  xfrdir: %q\n  zonelistfile: %q\n  server-count: 1\n  rrl-ratelimit: 0\n  %s\nremote-control:\n  control-enable: no\n\n%s",
				port, dir, dir+"/nsd.pid", dir+"/xfrd.state", dir, dir+"/zone.list", setting(t, "xfrd-reload-timeout: 0"), blocks[0]))
			return []string{"nsd", "-d", "-c", dir + "/nsd.conf"}
		},
	},
	"knot": {
		heading: "Knot DNS", within: 50 * time.Millisecond,
		primary: func(port int) string { return fmt.Sprintf("127.0.0.1@%d", port) },
		prepare: func(t *testing.T, dir string, port int, blocks []string) []string {
			write(t, dir, "knot.conf", fmt.Sprintf("server:\n    listen: 127.0.0.1@%d\n    rundir: %q\n    background-workers: 2\n\ndatabase:\n    storage: %q\n\ntemplate:\n  - id: default\n    storage: %q\n\n%s", port, dir, dir, dir, blocks[0]))
			return []string{"knotd", "-c", dir + "/knot.conf"}
		},
	},
	"bind": {
		heading: "BIND", within: time.Second,
		primary: func(port int) string { return fmt.Sprintf("127.0.0.1 port %d", port) },
		prepare: func(t *testing.T, dir string, port int, blocks []string) []string {
			write(t, dir, "named.conf", fmt.Sprintf("options { directory %q; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none; %s };\ncontrols { };\n%s", dir, port, setting(t, "serial-query-rate 1000;"), blocks[0]))
			return []string{"named", "-g", "-n", "1", "-c", dir + "/named.conf"}
		},
	},
	"powerdns": {
		heading: "PowerDNS", within: 3 * time.Second,
		primary: func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) },
		prepare: func(t *testing.T, dir string, port int, blocks []string) []string {
			write(t, dir, "pdns.conf", fmt.Sprintf("launch=gsqlite3\ngsqlite3-database=%s/pdns.sqlite3\nlocal-address=127.0.0.1\nlocal-port=%d\nsocket-dir=%s\nsetuid=\nsetgid=\n%s", dir, port, dir, blocks[0]))
			if _, err := os.Stat(dir + "/pdns.sqlite3"); err == nil { // only the key is another one
				command(t, fmt.Sprintf("pdnsutil --config-dir=%s delete-tsig-key transfer", dir))
				command(t, strings.ReplaceAll(line(t, blocks[1], "import-tsig-key"), "pdnsutil ", "pdnsutil --config-dir="+dir+" "))
			} else {
				command(t, fmt.Sprintf("sqlite3 %s/pdns.sqlite3 < /usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql", dir))
				command(t, strings.ReplaceAll(blocks[1], "pdnsutil ", "pdnsutil --config-dir="+dir+" "))
			}
			return []string{"pdns_server", "--config-dir=" + dir}
		},
	},
}

// recipe returns the code blocks below the heading in the document.
func (k kind) recipe(t *testing.T) (blocks []string) {
	t.Helper()
	_, rest, ok := strings.Cut(document(t, cmp.Or(k.document, "secondaries.md")), "\n### "+k.heading+"\n")
	if !ok {
		t.Fatalf("there is no recipe %q", k.heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	rest, _, _ = strings.Cut(rest, "\n### ")
	for i, part := range strings.Split(rest, "\n```\n") {
		if i%2 == 1 {
			blocks = append(blocks, part+"\n")
		}
	}
	return blocks
}

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// setting returns text, which docs/secondaries.md must recommend.
func setting(t *testing.T, text string) string {
	t.Helper()
	if !strings.Contains(document(t, "secondaries.md"), "`"+text+"`") {
		t.Fatalf("docs/secondaries.md does not recommend %q", text)
	}
	return text
}

func line(t *testing.T, text, has string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.Contains(l, has) {
			return l
		}
	}
	t.Fatalf("no line with %q", has)
	return ""
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
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

const docSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

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
	blocks := s.recipe(s.t)
	for i, b := range blocks {
		if i == 0 && !strings.Contains(strings.Join(blocks, ""), "192.0.2.53") || !strings.Contains(strings.Join(blocks, ""), docSecret) {
			s.t.Fatal("the recipe has not the address or the secret that stand in the document")
		}
		blocks[i] = strings.ReplaceAll(strings.ReplaceAll(b, "192.0.2.53", s.kind.primary(s.primary)), docSecret, s.secret)
	}
	args := s.prepare(s.t, s.dir, s.port, blocks)
	log, err := os.OpenFile(s.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	path, err := exec.LookPath(args[0])
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + args[0])
	}
	if err != nil {
		s.t.Fatalf("%s is needed for this test; hack/setup test installs it", args[0])
	}
	s.cmd = exec.Command(path, args[1:]...)
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
		s.t.Logf("%s: %s", s.heading, b[max(0, len(b)-3000):])
	}
}

func (s *secondary) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

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
