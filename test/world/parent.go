package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/signing"
)

// Parent is the DNS above and beside our zone: NSD with the root, com, and the
// domains for which certificates are wanted. Its zones can be changed while it runs.
type Parent struct {
	*process.Process
	mu     sync.Mutex
	zones  map[string]*parentZone
	signed bool // from the root; a domain's DS record is in com
}

type parentZone struct {
	serial  int
	records map[string]string // owner and type to the whole records, lines of a zone file
}

// newParent writes NSD's configuration. The zones, beside root and com, are
// delegated from com.
func newParent(ctx context.Context, dir, bin string, o Options) (*Parent, error) {
	p := &Parent{zones: map[string]*parentZone{}, signed: o.Signed}
	p.zones["."] = &parentZone{serial: 1, records: map[string]string{
		"com": "com. NS ns.nic.com.\nns.nic.com. A " + ParentAddress + "\nns.nic.com. AAAA " + parentAddress6,
	}}
	com := &parentZone{serial: 1, records: map[string]string{}}
	p.zones["com."] = com
	for _, domain := range Domains {
		com.records[domain] = fmt.Sprintf("%s. NS ns.%s.\nns.%s. A %s\nns.%s. AAAA %s", domain, domain, domain, ParentAddress, domain, parentAddress6)
		p.zones[domain+"."] = &parentZone{serial: 1, records: map[string]string{}}
	}
	var delegation []string
	for i := range o.Replicas {
		delegation = append(delegation,
			fmt.Sprintf("%s. NS ns%d.%s.", Zone, i+1, Zone),
			fmt.Sprintf("ns%d.%s. A %s", i+1, Zone, ReplicaAddress(i)),
			fmt.Sprintf("ns%d.%s. AAAA %s", i+1, Zone, ReplicaAddress6(i)))
	}
	for i := range o.Secondaries { // instead
		if i == 0 {
			delegation = nil
		}
		delegation = append(delegation, fmt.Sprintf("%s. NS %s.", Zone, secondaryName(i)), fmt.Sprintf("%s. A %s", secondaryName(i), SecondaryAddress(i)))
	}
	p.zones["example.com."].records["delegation"] = strings.Join(delegation, "\n")

	var conf strings.Builder
	// Without a database: the default one is a file of the machine, which another
	// sandbox may be writing to.
	fmt.Fprintf(&conf, "server:\n  ip-address: %s\n  ip-address: %s\n  username: \"\"\n  chroot: \"\"\n  server-count: 1\n  database: \"\"\n", ParentAddress, parentAddress6)
	for option, file := range map[string]string{"pidfile": "nsd.pid", "zonelistfile": "zone.list", "xfrdfile": "xfrd.state", "cookie-secret-file": "cookies"} {
		fmt.Fprintf(&conf, "  %s: \"%s\"\n", option, filepath.Join(dir, file))
	}
	fmt.Fprintf(&conf, "  zonesdir: \"%s\"\n  xfrdir: \"%s\"\n  verbosity: 1\nremote-control:\n  control-enable: no\n", dir, dir)
	for name := range p.zones {
		fmt.Fprintf(&conf, "zone:\n  name: \"%s\"\n  zonefile: \"%s\"\n", name, p.served(name))
	}
	p.Process = &process.Process{Name: "nsd", Dir: dir, Args: []string{bin, "-d", "-c", filepath.Join(dir, "nsd.conf")}}
	if p.signed {
		if err := p.makeKeys(ctx); err != nil {
			return nil, err
		}
	}
	for name := range p.zones {
		if err := p.write(ctx, name); err != nil {
			return nil, err
		}
	}
	return p, os.WriteFile(filepath.Join(dir, "nsd.conf"), []byte(conf.String()), 0o600)
}

// Domains are the domains that exist in the sandbox, besides root and com.
var Domains = []string{"example.com", "example-two.com", "xn--bcher-kva.com"}

func zoneFile(name string) string { return "zone-" + strings.Trim(name, ".") + ".txt" }

// served is the file of a zone that NSD serves.
func (p *Parent) served(name string) string {
	if p.signed {
		return zoneFile(name) + ".signed"
	}
	return zoneFile(name)
}

// makeKeys makes a key for each zone, and adds its DS record to the zone above.
func (p *Parent) makeKeys(ctx context.Context) error {
	for name := range p.zones {
		key, err := signing.NewKey(ctx, p.Dir, name)
		if err != nil {
			return err
		}
		switch name {
		case ".": // has nothing above
		case "com.":
			p.zones["."].records["DS"] = key.ToDS(dns.SHA256).String()
		default:
			p.zones["com."].records["DS "+name] = key.ToDS(dns.SHA256).String()
		}
	}
	return nil
}

func (p *Parent) write(ctx context.Context, zone string) error {
	z := p.zones[zone]
	var b strings.Builder
	host := "ns." + strings.TrimPrefix(zone, ".")
	if zone == "com." {
		host = "ns.nic.com."
	}
	// Minimum 0: the CA asks the same resolver as those who look whether a record is there,
	// and would get from it what was so a second ago. Theirs is not asked by anybody else.
	fmt.Fprintf(&b, "$ORIGIN %s\n$TTL 60\n@ SOA %s hostmaster.%s %d 3600 600 604800 0\n@ NS %s\n", zone, host, strings.TrimPrefix(zone, "."), z.serial, host)
	if zone == "." {
		fmt.Fprintf(&b, "ns. A %s\n", ParentAddress)
	} else {
		fmt.Fprintf(&b, "%s A %s\n%s AAAA %s\n", host, ParentAddress, host, parentAddress6)
	}
	for _, records := range z.records {
		b.WriteString(records + "\n")
	}
	if err := os.WriteFile(filepath.Join(p.Dir, zoneFile(zone)), []byte(b.String()), 0o600); err != nil || !p.signed {
		return err
	}
	return signing.Sign(ctx, p.Dir, zone, zoneFile(zone), p.served(zone))
}

// Set puts records, lines of a zone file, into the domain's zone under key,
// instead of what was there, and returns when they are served. Without records
// it takes away what was there.
func (p *Parent) Set(ctx context.Context, domain, key, records string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	zone := dns.Fqdn(domain)
	z, ok := p.zones[zone]
	if !ok {
		return fmt.Errorf("there is no zone %s in the sandbox", zone)
	}
	z.serial++
	z.records[key] = records
	if err := p.write(ctx, zone); err != nil {
		return err
	}
	var told time.Time
	return p.Until(ctx, "serve the new zone "+zone, func(ctx context.Context) error {
		if time.Since(told) > 2*time.Second { // again: NSD drops a signal that comes while it reloads
			p.Signal(syscall.SIGHUP)
			told = time.Now()
		}
		m := new(dns.Msg).SetQuestion(zone, dns.TypeSOA)
		got, _, err := new(dns.Client).ExchangeContext(ctx, m, ParentAddress+":53")
		if err != nil {
			return err
		}
		for _, rr := range got.Answer {
			if soa, ok := rr.(*dns.SOA); ok && int(soa.Serial) == z.serial {
				return nil
			}
		}
		return fmt.Errorf("answer %v", got.Answer)
	})
}

// SetCNAME makes _acme-challenge.<name> in the domain's zone a CNAME to target;
// name is the domain itself or below it.
func (p *Parent) SetCNAME(ctx context.Context, domain, name, target string) error {
	return p.Set(ctx, domain, name, fmt.Sprintf("_acme-challenge.%s. CNAME %s.", name, target))
}

// RemoveCNAME takes away what SetCNAME has set.
func (p *Parent) RemoveCNAME(ctx context.Context, domain, name string) error {
	return p.Set(ctx, domain, name, "")
}
