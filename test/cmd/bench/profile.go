package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"

	"github.com/signpost-acme/signpost/test/world"
)

// profile loads a DNS server with queries for known names, and returns where its
// CPU time goes, by perf. It needs a signpost with symbols: see make profile.
func profile(ctx context.Context, dir, bin string) (string, error) {
	if err := takeCore(1); err != nil {
		return "", err
	}
	zone := names{origin: world.Zone}
	var queries [][]byte
	for range 1000 {
		name := uuid.NewString() + "." + world.Zone
		zone.known = append(zone.known, name)
		queries = append(queries, pack(new(dns.Msg).SetQuestion(name+".", dns.TypeTXT)))
	}
	store, err := startRedis(ctx, dir, zone)
	if err != nil {
		return "", err
	}
	defer store.End(syscall.SIGKILL)
	s := newReplica(dir, filepath.Join(bin, "symbols"), 0)
	defer s.end()
	if _, _, err := startUp(ctx, s); err != nil {
		return "", err
	}
	const seconds = 6
	data := filepath.Join(dir, "perf.data")
	perf := exec.CommandContext(ctx, "perf", "record", "-q", "-F", "1999", "-e", "cpu-clock", "-p", strconv.Itoa(s.PID()), "-o", data, "--", "sleep", strconv.Itoa(seconds-1))
	if err := perf.Start(); err != nil {
		return "", fmt.Errorf("%w; install perf, on Debian: apt-get install linux-perf", err)
	}
	m, err := measure(s, queries, seconds*time.Second)
	if err != nil {
		return "", err
	}
	if err := perf.Wait(); err != nil {
		return "", fmt.Errorf("perf record: %w", err)
	}
	out, err := exec.CommandContext(ctx, "perf", "report", "-i", data, "--stdio", "--no-children", "--sort", "dso,symbol", "--percent-limit", "0.3").CombinedOutput()
	return fmt.Sprintf("%.2f µs a query, %.0f queries/s\n%s", us(m.cpu), m.qps, out), err
}
