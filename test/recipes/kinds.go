package recipes

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// Kinds are the programs that have recipes.
var Kinds = map[string]Kind{
	"nsd":      {Heading: "NSD", Prepare: nsd, Primary: joined("@")},
	"knot":     {Heading: "Knot DNS", Prepare: knot, Primary: joined("@")},
	"bind":     {Heading: "BIND", Prepare: bind, Primary: joined(" port ")},
	"powerdns": {Heading: "PowerDNS", Prepare: powerDNS, Primary: joined(":")},
}

// joined writes an address with something before its port.
func joined(by string) func(netip.AddrPort) string {
	return func(a netip.AddrPort) string { return fmt.Sprint(a.Addr(), by, a.Port()) }
}

func nsd(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
	reload, err := setting("secondaries.md", "xfrd-reload-timeout: 0")
	if err != nil {
		return nil, err
	}
	return []string{"nsd", "-d", "-c", dir + "/nsd.conf"}, write(dir, "nsd.conf", fmt.Sprintf(`server:
  ip-address: %s@%d
  username: ""
  chroot: ""
  zonesdir: %[3]q
  database: ""
  pidfile: "%[3]s/nsd.pid"
  xfrdfile: "%[3]s/xfrd.state"
  xfrdir: %[3]q
  zonelistfile: "%[3]s/zone.list"
  server-count: 1
  rrl-ratelimit: 0
  %[4]s
remote-control:
  control-enable: no

%[5]s`, at.Addr(), at.Port(), dir, reload, blocks[0]))
}

func knot(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
	return []string{"knotd", "-c", dir + "/knot.conf"}, write(dir, "knot.conf", fmt.Sprintf(`server:
    listen: %s@%d
    rundir: %[3]q
    background-workers: 2

database:
    storage: %[3]q

template:
  - id: default
    storage: %[3]q

%[4]s`, at.Addr(), at.Port(), dir, blocks[0]))
}

func bind(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
	ask, err := setting("secondaries.md", "serial-query-rate 1000;")
	if err != nil {
		return nil, err
	}
	tell, err := setting("dnssec.md", "notify-rate 1000;")
	if err != nil {
		return nil, err
	}
	return []string{"named", "-g", "-n", "1", "-c", dir + "/named.conf"}, write(dir, "named.conf", fmt.Sprintf(`options {
    directory %q;
    listen-on port %d { %s; };
    listen-on-v6 { none; };
    recursion no;
    pid-file none;
    session-keyfile none;
    %s
    %s
};
controls { };
%s`, dir, at.Port(), at.Addr(), ask, tell, blocks[0]))
}

func powerDNS(dir string, at netip.AddrPort, blocks []string) ([]string, error) {
	db := dir + "/pdns.sqlite3"
	err := write(dir, "pdns.conf", fmt.Sprintf("launch=gsqlite3\ngsqlite3-database=%s\nlocal-address=%s\nlocal-port=%d\nsocket-dir=%s\nsetuid=\nsetgid=\n%s", db, at.Addr(), at.Port(), dir, blocks[0]))
	if err != nil {
		return nil, err
	}
	set := func(lines string) string {
		return strings.ReplaceAll(lines, "pdnsutil ", "pdnsutil --config-dir="+dir+" ")
	}
	script := fmt.Sprintf("sqlite3 %s < /usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql\n", db) + set(blocks[1])
	if _, err := os.Stat(db); err == nil { // only the key is another one
		script = set("pdnsutil delete-tsig-key transfer\n" + line(blocks[1], "import-tsig-key"))
	}
	return []string{"pdns_server", "--config-dir=" + dir}, shell(script)
}
