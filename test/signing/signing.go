// Package signing signs zones for tests, with BIND's tools, as whoever runs the zones
// above ours does. It imports nothing of ours.
package signing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/miekg/dns"
)

// NewKey makes a key in dir that signs all of a zone, and returns its public half.
func NewKey(ctx context.Context, dir, zone string) (*dns.DNSKEY, error) {
	name, err := run(ctx, dir, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, strings.TrimSpace(name)+".key"))
	if err != nil {
		return nil, err
	}
	rr, err := dns.NewRR(string(text))
	if err != nil {
		return nil, err
	}
	key, ok := rr.(*dns.DNSKEY)
	if !ok {
		return nil, fmt.Errorf("%s is no key", text)
	}
	return key, nil
}

// Sign signs the zone in a file of dir with the keys that dir has for it, and puts the
// signed one in place of what is in another file there.
func Sign(ctx context.Context, dir, zone, file, signed string) error {
	_, err := run(ctx, dir, "dnssec-signzone", "-S", "-z", "-o", zone, "-f", signed, file)
	return err
}

func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s %q: %w: %s", name, args, err, exit.Stderr)
	}
	return string(out), err
}
