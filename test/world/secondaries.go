package world

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/recipes"
)

// maxSecondaries is how many addresses the sandbox has for secondaries.
const maxSecondaries = 2

// SecondaryAddress returns the address of secondary i, counted from 0.
func SecondaryAddress(i int) string { return fmt.Sprintf("192.0.2.%d", 21+i) }

// Secondary is a nameserver that transfers our zone from the replicas, set up from its
// recipe in docs/secondaries.md.
type Secondary struct {
	*process.Process
	Name    string // of the nameserver
	Address string
	w       *World
}

func secondaryName(i int) string { return fmt.Sprintf("ns%d.example.com", i+1) }

// startSecondaries starts one of each kind of Options.Secondaries, and waits until each
// has the zone.
func (w *World) startSecondaries(ctx context.Context) error {
	for i, kind := range w.Options.Secondaries {
		k, ok := recipes.Kinds[kind]
		if !ok {
			return fmt.Errorf("there is no recipe for %s", kind)
		}
		dir := filepath.Join(w.Dir, "secondary-"+kind)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		at, primary := netip.MustParseAddrPort(SecondaryAddress(i)+":53"), netip.MustParseAddrPort(ReplicaAddress(0)+":53")
		args, err := k.Command(dir, at, primary, recipes.Secret)
		if err != nil {
			return err
		}
		s := &Secondary{Process: w.process("secondary-"+kind, args[0], args[1:]...), Name: secondaryName(i), Address: SecondaryAddress(i), w: w}
		w.Secondaries = append(w.Secondaries, s)
		if err := s.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the secondary.
func (s *Secondary) Stop() { s.End(syscall.SIGTERM) }

// Run starts the secondary again and waits until it has the zone.
func (s *Secondary) Run(ctx context.Context) error {
	if err := s.w.start(s.Process); err != nil {
		return err
	}
	return s.ready(ctx)
}

// ready waits until the secondary has the zone.
func (s *Secondary) ready(ctx context.Context) error {
	return s.Until(ctx, "have the zone", func(ctx context.Context) error {
		m, _, err := new(dns.Client).ExchangeContext(ctx, new(dns.Msg).SetQuestion(Zone+".", dns.TypeSOA), s.Address+":53")
		if err == nil && (!m.Authoritative || len(m.Answer) == 0) {
			err = fmt.Errorf("answers %s", dns.RcodeToString[m.Rcode])
		}
		return err
	})
}

// secondaryFlags are those of signpost serve, empty where there are no secondaries.
func (w *World) secondaryFlags() (flags []string, err error) {
	if len(w.Options.Secondaries) == 0 {
		return nil, nil
	}
	for i := range w.Options.Secondaries {
		flags = append(flags, "--secondary", fmt.Sprintf("%s=%s,key=transfer", secondaryName(i), SecondaryAddress(i)))
	}
	file := filepath.Join(w.Dir, "transfer.key")
	return append(flags, "--transfer-key-file", file), os.WriteFile(file, fmt.Appendf(nil, "key \"transfer\" { algorithm hmac-sha256; secret %q; };\n", recipes.Secret), 0o600)
}
