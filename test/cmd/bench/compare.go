package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/test/world"
)

const (
	liveNames = 10_000
	duration  = time.Second // of one measurement
)

// rounds is how often everything is measured; ROUNDS in the environment makes a
// quick look quicker.
var rounds = func() int {
	if n, err := strconv.Atoi(os.Getenv("ROUNDS")); err == nil && n > 0 {
		return n
	}
	return 5
}()

// wanted reports whether a peer is to be measured: those in PEERS, separated by
// commas; all if it is not set.
func wanted(name string) bool {
	list := os.Getenv("PEERS")
	return list == "" || strings.Contains(","+list+",", ","+name+",")
}

// compare measures our DNS server and its peers, taking turns.
func compare(ctx context.Context, dir, bin string) (string, error) {
	zone := names{origin: world.Zone}
	for range liveNames {
		zone.known = append(zone.known, uuid.NewString()+"."+world.Zone)
	}
	if err := zone.zoneFile(filepath.Join(dir, "zone.txt")); err != nil {
		return "", err
	}
	redis, err := startRedis(ctx, dir, zone)
	if err != nil {
		return "", err
	}
	defer redis.End(syscall.SIGKILL)
	all, err := peers(dir, bin, world.Zone, "redis://"+world.RedisAddress+"/0", []string{world.ReplicaAddress(0), world.ReplicaAddress(1), world.ReplicaAddress(2)})
	if err != nil {
		return "", err
	}
	kinds := loads(zone)
	for _, s := range all {
		if err := s.begin(ctx, kinds[0].queries[0]); err != nil {
			return "", err
		}
		defer s.end()
	}
	if err := takeCore(1); err != nil {
		return "", err
	}
	results := newResults(all, kinds)
	for round := range rounds {
		for _, k := range kinds {
			for _, s := range all {
				if ctx.Err() != nil {
					return "", ctx.Err()
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
					return "", err
				}
				results.add(k, s, m)
			}
		}
		fmt.Printf("round %d of %d is done\n", round+1, rounds)
	}
	return results.report(), nil
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
