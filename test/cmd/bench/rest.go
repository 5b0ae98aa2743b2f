package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/test/world"
)

const (
	starts   = 7
	idleTime = 5 * time.Second
)

// atRest measures the program when nobody asks it anything.
func atRest(ctx context.Context, dir, bin string) (string, error) {
	store, err := startRedis(ctx, dir, names{origin: world.Zone})
	if err != nil {
		return "", err
	}
	defer store.End(syscall.SIGKILL)
	var first []time.Duration
	s := newReplica(dir, bin, 0)
	defer s.end()
	for range starts {
		s.end()
		t, _, err := startUp(ctx, s)
		if err != nil {
			return "", err
		}
		first = append(first, t)
	}
	slices.Sort(first)
	time.Sleep(time.Second)
	memory, idle := s.resting(idleTime)
	info, err := os.Stat(filepath.Join(bin, "signpost"))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`
### The program at rest

`+"`signpost dns`"+` with an empty Redis, and nobody asks. The start is the median of %d.

| binary MB | first answer after start ms | memory MiB | idle CPU |
|---:|---:|---:|---:|
| %.1f | %.0f | %.0f | %.2f %% |
`, starts, float64(info.Size())/1e6, ms(first[len(first)/2]), memory, idle), nil
}

// resting returns how much memory the server has and how much of one processor
// it takes, in percent, over a while.
func (s *server) resting(d time.Duration) (mib, percent float64) {
	cpu, begin := s.cpu(), time.Now()
	time.Sleep(d)
	return s.memory(), 100 * float64(s.cpu()-cpu) / float64(time.Since(begin))
}
