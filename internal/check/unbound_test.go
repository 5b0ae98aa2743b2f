package check_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/dnstest"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/redistest"
)

// A real validating resolver, with a real memory: a broken chain of trust is seen, a
// zone without DNSSEC is none, and the resolver's cache does not count.
func TestUnbound(t *testing.T) {
	if _, err := exec.LookPath("unbound"); err != nil {
		t.Fatal("unbound is needed for this test; install it with: apt-get install unbound")
	}
	t.Run("bogus", func(t *testing.T) {
		w := newWorld(t)
		w.Resolvers = []string{w.unbound(t, `trust-anchor: "customer.example. DS 12345 13 2 `+strings.Repeat("ab", 32)+`"`)}
		w.setDomain(w.right())
		if got := w.Look(context.Background(), scope, domain); got.Check != "dnssec-bogus" {
			t.Errorf("got %+v", got)
		}
		if got := w.Domain(context.Background(), scope, domain, check.CA{}); got[0].Check != "dnssec-bogus" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("remembers", func(t *testing.T) {
		w := newWorld(t)
		w.Resolvers = []string{w.unbound(t, "")}
		now := func(want string, resolvers string) {
			t.Helper()
			if got := w.Look(context.Background(), scope, domain); got.Check != want {
				t.Errorf("got %+v, want %s", got, want)
			}
			if got := w.CNAME(context.Background(), scope, domain); got.Check != resolvers {
				t.Errorf("the resolver has %+v, want %s", got, resolvers)
			}
		}
		now("cname-missing", "cname-missing") // CNAME asks too early
		w.setDomain(w.right())
		now("cname", "cname-missing")
		w.Resolvers = []string{w.unbound(t, "")}
		w.Checker = &check.Checker{Zone: w.Zone, Resolvers: w.Resolvers, Port: w.World.Port}
		now("cname", "cname")
		w.setDomain("")
		now("cname-missing", "cname")
	})
}

// unbound runs an Unbound that knows the world's domain, and returns its address:port.
func (w *world) unbound(t *testing.T, setting string) string {
	t.Helper()
	port := redistest.FreePort(t)
	config := filepath.Join(t.TempDir(), "unbound.conf")
	text := fmt.Sprintf(`
server:
  interface: 127.0.0.1@%[1]d
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
  %[2]s
stub-zone:
  name: "."
  stub-addr: %[3]s@%[5]d
stub-zone:
  name: "customer.example"
  stub-addr: %[4]s@%[5]d
`, port, setting, dnstest.RootServer, domainServer, w.World.Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unbound", "-d", "-c", config)
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address := fmt.Sprintf("127.0.0.1:%d", port)
	err := poll.Try(t.Context(), 10*time.Second, "unbound answers", func() error {
		m := new(dns.Msg).SetQuestion("www.customer.example.", dns.TypeA)
		m.CheckingDisabled = true
		if got, _, err := (&dns.Client{Net: "tcp", Timeout: time.Second}).Exchange(m, address); err != nil {
			return err
		} else if len(got.Answer) == 0 {
			return errors.New("the answer is empty")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	return address
}
