// Command bench compares the DNS server with others, side by side on this
// machine, and with a server that only echoes. It prints ratios, and writes them
// to docs/benchmarks.md.
package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

const (
	rounds    = 5
	liveNames = 10_000
	duration  = 1500 * time.Millisecond // of one measurement
)

func main() {
	sandbox.Main(world.Sandbox(), func() int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return 0
	})
}

func run(ctx context.Context) error {
	bin, err := filepath.Abs("../.cache/bin")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "signpost-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	zone := names{origin: world.Zone}
	for range liveNames {
		zone.known = append(zone.known, uuid.NewString()+"."+world.Zone)
	}
	if err := zone.zoneFile(filepath.Join(dir, "zone.txt")); err != nil {
		return err
	}
	redis, err := startRedis(ctx, dir, zone)
	if err != nil {
		return err
	}
	defer redis.End(syscall.SIGKILL)
	all, err := peers(dir, bin, world.Zone, "redis://"+world.RedisAddress+"/0", []string{world.ReplicaAddress(0), world.ReplicaAddress(1)})
	if err != nil {
		return err
	}
	kinds := loads(zone)
	for _, s := range all {
		if err := s.begin(ctx, kinds[0].queries[0]); err != nil {
			return err
		}
		defer s.end()
	}
	// The load gets the other core.
	if err := unix.SchedSetaffinity(0, cpuSet(1)); err != nil {
		return fmt.Errorf("two cores are needed, one for the server and one for the load: %w", err)
	}
	results := newResults(all, kinds)
	for round := range rounds {
		for _, k := range kinds {
			for _, s := range all {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if k.tcp && s.name == "echo" {
					continue
				}
				how := measure
				if k.tcp {
					how = measureTCP
				}
				m, err := how(s, k.queries, duration)
				if err != nil {
					return err
				}
				results.add(k, s, m)
			}
		}
		fmt.Printf("round %d of %d is done\n", round+1, rounds)
	}
	report := results.report()
	fmt.Println(report)
	return os.WriteFile("../docs/benchmarks.md", []byte(report), 0o644)
}

func cpuSet(cpu int) *unix.CPUSet {
	var set unix.CPUSet
	set.Set(cpu)
	return &set
}

// load is one kind of queries.
type load struct {
	name    string
	tcp     bool
	queries [][]byte
}

func loads(zone names) []load {
	const different = 4096
	known, letters, unknown := load{name: "known names"}, load{name: "random letters, EDNS"}, load{name: "unknown names"}
	for i := range different {
		name := zone.known[i%len(zone.known)] + "."
		known.queries = append(known.queries, pack(new(dns.Msg).SetQuestion(name, dns.TypeTXT)))
		letters.queries = append(letters.queries, randomLetters(pack(new(dns.Msg).SetQuestion(name, dns.TypeTXT).SetEdns0(1232, false))))
		unknown.queries = append(unknown.queries, pack(new(dns.Msg).SetQuestion(fmt.Sprintf("junk-%d.%s.", rand.Uint32(), zone.origin), dns.TypeTXT)))
	}
	tcp := load{name: "known names, TCP", tcp: true, queries: known.queries}
	return []load{known, letters, unknown, tcp}
}

func pack(m *dns.Msg) []byte {
	wire, err := m.Pack()
	if err != nil {
		panic(err) // our own names
	}
	return wire
}

// randomLetters changes the case of the question's letters, as resolvers do (0x20).
func randomLetters(wire []byte) []byte {
	for i := 12; wire[i] != 0; i += 1 + int(wire[i]) {
		for j := i + 1; j <= i+int(wire[i]); j++ {
			if c := wire[j] | 0x20; 'a' <= c && c <= 'z' && rand.IntN(2) == 0 {
				wire[j] ^= 0x20
			}
		}
	}
	return wire
}
