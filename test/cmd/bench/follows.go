package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/recipes"
	"github.com/signpost-acme/signpost/test/world"
)

// follow is a way of answering: by the replica itself, or by a secondary of a kind.
type follow struct {
	label   string
	kind    string   // of recipes.Kinds; none for the replica
	ask     []string // the command that prints its version
	changes int

	version          string
	visible, present []time.Duration
}

var follows = []*follow{
	{label: "a replica, no secondary", changes: secondaryChanges},
	{label: "NSD", kind: "nsd", ask: []string{"nsd", "-v"}, changes: secondaryChanges},
	{label: "Knot DNS", kind: "knot", ask: []string{"knotd", "-V"}, changes: secondaryChanges},
	{label: "BIND", kind: "bind", ask: []string{"named", "-v"}, changes: secondaryChanges},
	{label: "PowerDNS", kind: "powerdns", ask: []string{"pdns_server", "--version"}, changes: slowChanges},
}

// secondary returns what --secondary says, and z.Secondaries takes.
func (f *follow) secondary() string { return "ns1.example.com=" + f.address() + ",key=transfer" }

// address is where the answers come from.
func (f *follow) address() string {
	if f.kind == "" {
		return world.ReplicaAddress(0) + ":53"
	}
	return world.SecondaryAddress(0) + ":53"
}

// measure starts what is needed in a new folder, and measures.
func (f *follow) measure(ctx context.Context, dir, bin string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	all := names{origin: world.Zone}
	for range secondaryNames {
		all.known = append(all.known, uuid.NewString()+"."+world.Zone)
	}
	redis, err := startRedis(ctx, dir, all)
	if err != nil {
		return err
	}
	defer redis.End(syscall.SIGKILL)
	st, err := store.NewRedis(world.Zone, store.RedisOptions{URL: "redis://" + world.RedisAddress + "/0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer st.Close()
	replica, err := f.replica(dir, bin)
	if err != nil {
		return err
	}
	if err := replica.Start(nil); err != nil {
		return err
	}
	defer replica.End(syscall.SIGTERM)
	if f.version = "this tree"; f.kind != "" {
		f.version = versionOf(f.ask...)
		st.KeepVersions(&store.Journal{}) // as replicas do that have secondaries
		p, err := recipes.Secondary(f.kind, dir, netip.MustParseAddrPort(f.address()), netip.MustParseAddrPort(world.ReplicaAddress(0)+":53"))
		if err != nil {
			return err
		}
		if err := p.Start(nil); err != nil {
			return err
		}
		defer p.End(syscall.SIGTERM)
		if err := p.Until(ctx, "have the zone", recipes.HasZone(f.address(), world.Zone)); err != nil {
			return err
		}
	}
	err = replica.Until(ctx, "announce itself", func(ctx context.Context) error {
		list, err := st.Replicas(ctx)
		if err == nil && len(list) == 0 {
			err = errors.New("there is none")
		}
		return err
	})
	if err != nil {
		return err
	}
	return errors.Join(f.changesVisible(ctx, st), f.presents(st))
}

// replica returns the DNS server of ours, which is not started.
func (f *follow) replica(dir, bin string) (*process.Process, error) {
	args := []string{filepath.Join(bin, "signpost"), "dns", "--zone", world.Zone, "--listen", world.ReplicaAddress(0) + ":53",
		"--redis-url", "redis://" + world.RedisAddress + "/0", "--http-listen", "", "--shutdown-delay", "0s"}
	if f.kind == "" {
		args = append(args, "--nameserver", "ns.example.com")
	} else {
		file, err := recipes.KeyFile(dir)
		if err != nil {
			return nil, err
		}
		args = append(args, "--secondary", f.secondary(), "--transfer-key-file", file)
	}
	return &process.Process{Name: "replica", Dir: dir, Args: args}, nil
}

// serves is how the server is asked.
func (f *follow) serves() solver.Serves {
	if f.kind == "" {
		return solver.DNSServes
	}
	return solver.SecondaryServes
}

// changesVisible measures from the beginning of a change until it can be seen.
func (f *follow) changesVisible(ctx context.Context, st *store.Redis) error {
	for i := range f.changes {
		id, value := uuid.New(), fmt.Sprint("change ", i)
		begin := time.Now()
		if err := st.Add(ctx, id, value); err != nil {
			return err
		}
		for {
			ok, err := f.serves()(ctx, f.address(), id.String()+"."+world.Zone, value)
			if ok {
				break
			}
			if time.Since(begin) > 20*time.Second {
				return errors.Join(fmt.Errorf("change %d is not visible after 20 s", i), err)
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		f.visible = append(f.visible, time.Since(begin))
	}
	return nil
}

// presents measures Present.
func (f *follow) presents(st *store.Redis) error {
	z, err := zone.New(world.Zone)
	if err != nil {
		return err
	}
	there := func(context.Context, string, string) check.Finding { return check.Finding{} }
	s := solver.New(z, st, solver.DNSServes, there, slog.New(slog.DiscardHandler))
	if f.kind != "" {
		list, err := z.Secondaries([]string{f.secondary()})
		if err != nil {
			return err
		}
		s.Secondaries(list, solver.SecondaryServes)
	}
	for i := range f.changes {
		req := &whapi.ChallengeRequest{ResourceNamespace: "team-a", DNSName: fmt.Sprintf("d%d.example.net", i), Key: fmt.Sprintf("LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_%05d", i)}
		begin := time.Now()
		if err := s.Present(req); err != nil {
			return fmt.Errorf("challenge %d: %w", i, err)
		}
		f.present = append(f.present, time.Since(begin))
	}
	return nil
}
