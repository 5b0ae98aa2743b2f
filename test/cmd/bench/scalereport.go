package main

import (
	"fmt"
	"strings"
)

func scaleReport(all []scaled) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Real Redis, and %d replicas of `+"`signpost dns`"+` with one TXT record for each name. The replicas have one core; Redis and the
load share the other. Memory is without the program's own pages. "First answer" and "all read" are the times after the
start of a program until it answers at all, and until it knows every name. "Read again" is what happens every minute and
after a lost connection. "Visible" is the time from the beginning of a change until all %d replicas answer with it.

| names | memory MiB | octets/name | Redis MiB | first answer ms | all read ms | read again ms | visible p50 ms | p99 ms |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|
`, scaleReplicas, scaleReplicas)
	for _, r := range all {
		perName := "–"
		if r.names >= 1000 {
			perName = fmt.Sprintf("%.0f", (r.memory-all[0].memory)*(1<<20)/float64(r.names))
		}
		fmt.Fprintf(&b, "| %d | %.0f | %s | %.0f | %.0f | %.0f | %.0f | %.2f | %.2f |\n", r.names, r.memory, perName, r.storeMemory,
			ms(r.first), ms(r.all), ms(r.resync), ms(r.visible50), ms(r.visible99))
	}
	fmt.Fprintf(&b, `
One replica under full load, asked for up to 100,000 different names, while other things happen to it. CPU is everything
that it spends, reading and changes included, for each answered query; p50 and p99 are at half load.

| names | at the same time | queries/s | CPU µs/query | p50 µs | p99 µs |
|---:|---|---:|---:|---:|---:|
`)
	for _, r := range all {
		for i, m := range r.load {
			what := scaleLoads[i]
			if strings.Contains(what, "%") {
				what = fmt.Sprintf(what, r.changed)
			}
			fmt.Fprintf(&b, "| %d | %s | %.0f | %.2f | %.0f | %.0f |\n", r.names, what, m.qps, us(m.cpu), us(m.p50), us(m.p99))
		}
	}
	return b.String()
}
