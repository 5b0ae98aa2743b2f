package world

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

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
		p, err := recipes.Secondary(kind, w.Dir, netip.MustParseAddrPort(SecondaryAddress(i)+":53"), netip.MustParseAddrPort(ReplicaAddress(0)+":53"))
		if err != nil {
			return err
		}
		s := &Secondary{Process: p, Name: secondaryName(i), Address: SecondaryAddress(i), w: w}
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
	return s.Until(ctx, "have the zone", recipes.HasZone(s.Address+":53", Zone))
}

// secondaryFlags are those of signpost serve, empty where there are no secondaries.
func (w *World) secondaryFlags() (flags []string, err error) {
	if len(w.Options.Secondaries) == 0 {
		return nil, nil
	}
	for i := range w.Options.Secondaries {
		flags = append(flags, "--secondary", fmt.Sprintf("%s=%s,key=transfer", secondaryName(i), SecondaryAddress(i)))
	}
	file, err := recipes.KeyFile(w.Dir)
	return append(flags, "--transfer-key-file", file), err
}
