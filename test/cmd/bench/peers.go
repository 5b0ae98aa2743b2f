package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/world"
)

// names is the zone that all servers serve.
type names struct {
	origin string
	known  []string // with one TXT record each
}

const value = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"

// zoneFile writes the zone as the peers read it.
func (n names) zoneFile(path string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s.\n@ 300 IN SOA ns.example.com. hostmaster 1 14400 3600 1209600 0\n@ 3600 IN NS ns.example.com.\n", n.origin)
	for _, name := range n.known {
		fmt.Fprintf(&b, "%s. 0 IN TXT \"%s\"\n", name, value)
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// peers returns the servers that are there, ours first, each on one core and on
// an address of its own.
func peers(dir, bin, origin, redisURL string, replicas []string) ([]*server, error) {
	var errs []error
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		errs = append(errs, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	zone := filepath.Join(dir, "zone.txt")
	all := []*server{}
	add := func(name, address, version string, args ...string) {
		if !wanted(name) {
			return
		}
		all = append(all, &server{name: name, address: address, version: version, Process: &process.Process{Dir: dir, Args: args}})
	}
	ours := func(name, address string, args ...string) {
		add(name, address+":53", "this tree", append([]string{
			filepath.Join(bin, "signpost"), "dns", "--zone", origin, "--nameserver", "ns.example.com",
			"--listen", address + ":53", "--redis-url", redisURL, "--http-listen", "", "--shutdown-delay", "0s",
		}, args...)...)
	}
	ours("signpost", replicas[0])
	// A secondary that is down costs most: it is told again and again.
	ours("signpost with secondaries", replicas[2], "--secondary", "ns1.example.net="+world.SecondaryAddress(0))
	add("echo", replicas[1]+":53", "C, batched", filepath.Join(bin, "echo"), replicas[1], "53")
	add("nsd", "192.0.2.2:53", versionOf("nsd", "-v"), "nsd", "-d", "-c", write("bench-nsd.conf", fmt.Sprintf(`server:
  ip-address: 192.0.2.2
  username: ""
  chroot: ""
  server-count: 1
  rrl-ratelimit: 0
  pidfile: "%[1]s/n.pid"
  zonelistfile: "%[1]s/n.list"
  xfrdfile: "%[1]s/n.xfrd"
  xfrdir: "%[1]s"
  cookie-secret-file: "%[1]s/n.cookies"
remote-control:
  control-enable: no
zone:
  name: "%[2]s"
  zonefile: "%[1]s/zone.txt"
`, dir, origin)))
	add("knot", "192.0.2.3:53", versionOf("knotd", "-V"), "knotd", "-c", write("bench-knot.conf", fmt.Sprintf(`server:
  listen: 192.0.2.3@53
  rundir: "%[1]s"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "%[1]s/knot"
zone:
  - domain: %[2]s
    file: "%[3]s"
    zonefile-sync: -1
    journal-content: none
`, dir, origin, zone)))
	add("powerdns", "192.0.2.4:53", versionOf("pdns_server", "--version"), "pdns_server", "--daemon=no", "--guardian=no", "--config-dir="+dir,
		"--local-address=192.0.2.4", "--launch=bind", "--bind-config="+write("bench-named.conf", fmt.Sprintf("zone \"%s\" { type master; file \"%s\"; };\n", origin, zone)),
		"--socket-dir="+dir, "--receiver-threads=1", "--distributor-threads=1")
	add("coredns", "192.0.2.5:53", versionOf(filepath.Join(bin, "coredns"), "-version"), filepath.Join(bin, "coredns"), "-conf",
		write("Corefile", fmt.Sprintf(".:53 {\n  bind 192.0.2.5\n  file %s %s\n}\n", zone, origin)))
	return all, errors.Join(errs...)
}
