package world

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/signpost-acme/signpost/test/process"
)

// newResolver writes the configuration of Unbound as a full resolver over the
// sandbox's root, with the settings that Let's Encrypt is known to use: random
// letters, EDNS 1232, minimised names, short caching.
func newResolver(dir, bin string) (*process.Process, error) {
	hints := filepath.Join(dir, "root.hints")
	if err := os.WriteFile(hints, []byte(fmt.Sprintf(". NS ns.\nns. A %s\n", ParentAddress)), 0o600); err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`server:
  interface: %s
  access-control: 192.0.2.0/24 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: "%s/unbound.pid"
  root-hints: "%s"
  module-config: "iterator"
  incoming-num-tcp: 512
  num-threads: 1
  use-syslog: no
  verbosity: 1
  log-servfail: yes
  use-caps-for-id: yes
  edns-buffer-size: 1232
  qname-minimisation: yes
  harden-below-nxdomain: yes
  cache-max-ttl: 60
  cache-max-negative-ttl: 60
  do-ip6: yes
  do-not-query-localhost: no
  local-zone: "2.0.192.in-addr.arpa." transparent
  so-reuseport: no
remote-control:
  control-enable: no
`, ResolverAddress, dir, dir, hints)
	file := filepath.Join(dir, "unbound.conf")
	return &process.Process{Name: "unbound", Dir: dir, Args: []string{bin, "-d", "-p", "-c", file}}, os.WriteFile(file, []byte(conf), 0o600)
}
