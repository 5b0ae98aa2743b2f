package dnstest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/redistest"
)

// Unbound runs an Unbound that validates (RFC 4035 section 4) and asks these servers
// (address:port) for these zones, with further lines of its server section. It returns
// its address:port on 127.0.0.1 once that accepts connections. It ends with the test.
func Unbound(t testing.TB, servers map[string]string, settings ...string) string {
	t.Helper()
	path, err := exec.LookPath("unbound")
	if err != nil { // sbin is not on an ordinary user's PATH
		path, err = exec.LookPath("/usr/sbin/unbound")
	}
	if err != nil {
		t.Fatal("unbound is needed for this test; install it with: apt-get install unbound")
	}
	var stubs strings.Builder
	for zone, server := range servers {
		host, port, _ := net.SplitHostPort(server)
		fmt.Fprintf(&stubs, "stub-zone:\n  name: %q\n  stub-addr: %s@%s\n", zone, host, port)
	}
	port := redistest.FreePort(t)
	config := filepath.Join(t.TempDir(), "unbound.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, `server:
  interface: 127.0.0.1@%d
  do-daemonize: no
  chroot: ""
  username: ""
  directory: ""
  pidfile: ""
  use-syslog: no
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  num-threads: 1
  %s
%s`, port, strings.Join(settings, "\n  "), stubs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-d", "-c", config) //nolint:gosec // found above
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("unbound: %s", out.String()[max(0, out.Len()-2000):])
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	poll.Until(t, 20*time.Second, "unbound accepts connections", func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return address
}
