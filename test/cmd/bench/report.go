package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// results are all measurements.
type results struct {
	servers []*server
	loads   []load
	all     map[string][]measured // by load and server
}

func newResults(servers []*server, loads []load) *results {
	return &results{servers: servers, loads: loads, all: map[string][]measured{}}
}

func (r *results) add(l load, s *server, m measured) {
	r.all[l.name+s.name] = append(r.all[l.name+s.name], m)
}

// median returns the middle one of what get takes from the rounds.
func median[T int | float64 | time.Duration](ms []measured, get func(measured) T) T {
	var values []T
	for _, m := range ms {
		values = append(values, get(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// report is the part of the report about them.
func (r *results) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, `All servers served the same zone of %d names with one TXT record each, each pinned to the same core, taking turns; the
load had the other core. Medians of %d rounds of %v.

CPU is what the server's processes spent for each answered query: the figure that a noisy machine disturbs least. The
ratio is ours divided by theirs, in this run: below 1 means that ours needs less. p50 and p99 are the times for a burst of
four queries while the server is loaded with half of the queries that it can take. "echo" only sends packets back: the
floor. "signpost with secondaries" is the same program with `+"`--secondary`"+`.
`, liveNames, rounds, duration)
	for _, l := range r.loads {
		fmt.Fprintf(&b, "\n### %s\n\n| server | version | CPU µs/query | ratio | queries/s | p50 µs | p99 µs |\n|---|---|---:|---:|---:|---:|---:|\n", l.name)
		ours := median(r.all[l.name+r.servers[0].name], func(m measured) time.Duration { return m.cpu })
		for _, s := range r.servers {
			ms := r.all[l.name+s.name]
			if len(ms) == 0 {
				continue
			}
			cpu := median(ms, func(m measured) time.Duration { return m.cpu })
			ratio, p50, p99 := fmt.Sprintf("%.2f", float64(ours)/float64(cpu)), "", ""
			if !l.tcp {
				p50 = fmt.Sprintf("%.0f", us(median(ms, func(m measured) time.Duration { return m.p50 })))
				p99 = fmt.Sprintf("%.0f", us(median(ms, func(m measured) time.Duration { return m.p99 })))
			}
			fmt.Fprintf(&b, "| %s | %s | %.2f | %s | %.0f | %s | %s |\n", s.name, s.version, us(cpu), ratio,
				median(ms, func(m measured) float64 { return m.qps }), p50, p99)
		}
	}
	fmt.Fprintf(&b, "\n### Memory after that\n\n| server | MiB |\n|---|---:|\n")
	for _, s := range r.servers {
		fmt.Fprintf(&b, "| %s | %.0f |\n", s.name, s.memory())
	}
	return b.String()
}
