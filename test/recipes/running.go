package recipes

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/test/process"
)

// Secondary returns a secondary of that kind, of Kinds, that is not started: it answers at
// an address, transfers from the primary with Secret, and has a folder of its own in dir.
func Secondary(kind, dir string, at, primary netip.AddrPort) (*process.Process, error) {
	k, ok := Kinds[kind]
	if !ok {
		return nil, fmt.Errorf("there is no recipe for %s", kind)
	}
	name := "secondary-" + kind
	own := filepath.Join(dir, name)
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, err
	}
	args, err := k.Command(own, at, primary, Secret)
	return &process.Process{Name: name, Dir: dir, Args: args}, err
}

// KeyFile writes Secret into dir, as Signpost reads it, and returns the file.
func KeyFile(dir string) (string, error) {
	file := filepath.Join(dir, "transfer.key")
	return file, write(dir, "transfer.key", fmt.Sprintf("key \"transfer\" { algorithm hmac-sha256; secret %q; };\n", Secret))
}

// HasZone returns what process.Until waits for: that the server at an address is
// authoritative for the zone, and has its SOA.
func HasZone(address, zone string) func(context.Context) error {
	return func(ctx context.Context) error {
		m, _, err := new(dns.Client).ExchangeContext(ctx, new(dns.Msg).SetQuestion(zone+".", dns.TypeSOA), address)
		if err == nil && (!m.Authoritative || len(m.Answer) == 0) {
			err = fmt.Errorf("answers %s", dns.RcodeToString[m.Rcode])
		}
		return err
	}
}
