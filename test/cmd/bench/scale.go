package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/world"
)

// sizes are the numbers of live names.
var sizes = []int{1, 10_000, 1_000_000}

const (
	changesPerSecond = 1000
	visibleChanges   = 300
	scaleReplicas    = 3
)

// scaled is what was measured with one number of names.
type scaled struct {
	names                int
	first, all           time.Duration // after the start
	resync               time.Duration
	memory               float64 // MiB
	load                 [3]measured
	changed              float64       // a second, while that was measured
	visible50, visible99 time.Duration // on all replicas, since the change was begun
	storeMemory          float64       // MiB, of Redis
}

var scaleLoads = [3]string{"nothing else", "reading everything again and again", "%.0f changes a second"}

// scale measures how the DNS server grows.
func scale(ctx context.Context, dir, bin string) (string, error) {
	if err := takeCore(1); err != nil {
		return "", err
	}
	rest, err := atRest(ctx, dir, bin)
	if err != nil {
		return "", err
	}
	var all []scaled
	for _, n := range sizes {
		s, err := scaleTo(ctx, dir, bin, n)
		if err != nil {
			return "", fmt.Errorf("%d names: %w", n, err)
		}
		fmt.Printf("%d names are done\n", n)
		all = append(all, s)
	}
	return scaleReport(all) + rest, nil
}

// newReplica returns a DNS server of ours that is not started yet.
func newReplica(dir, bin string, i int) *server {
	address := world.ReplicaAddress(i) + ":53"
	return &server{name: fmt.Sprintf("replica-%d", i), address: address, Process: &process.Process{
		Name: fmt.Sprintf("replica-%d", i), Dir: dir, Args: []string{"taskset", "-c", "0", filepath.Join(bin, "signpost"), "dns", "--zone", world.Zone,
			"--nameserver", "ns.example.com", "--listen", address, "--redis-url", "redis://" + world.RedisAddress + "/0",
			"--http-listen", "", "--shutdown-delay", "0s"}}}
}

func scaleTo(ctx context.Context, dir, bin string, n int) (r scaled, err error) {
	r.names = n
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	store, err := startRedis(ctx, dir, names{origin: world.Zone})
	if err != nil {
		return r, err
	}
	defer store.End(syscall.SIGKILL)
	client := redis.NewClient(&redis.Options{Addr: world.RedisAddress})
	defer client.Close()
	extra := uuid.NewString()
	if err := addToRedis(ctx, client, append(ids, extra)...); err != nil {
		return r, err
	}
	r.storeMemory = (&server{Process: store}).memory()

	s := newReplica(dir, bin, 0)
	defer s.end()
	if r.first, r.all, err = startUp(ctx, s); err != nil {
		return r, err
	}
	r.memory = s.ownMemory()
	if r.resync, err = resync(ctx, client, s, extra); err != nil {
		return r, err
	}
	queries := make([][]byte, min(n, 100_000))
	for i := range queries {
		queries[i] = pack(new(dns.Msg).SetQuestion(ids[i]+"."+world.Zone+".", dns.TypeTXT))
	}
	for i, disturb := range []func(context.Context){
		func(context.Context) {},
		func(ctx context.Context) {
			for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
				forgetSubscribers(ctx, client)
			}
		},
		func(ctx context.Context) { r.changed = change(ctx, client, ids) },
	} {
		disturbing, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { disturb(disturbing) })
		r.load[i], err = measure(s, queries, duration)
		stop()
		wg.Wait()
		if err != nil {
			return r, err
		}
		time.Sleep(2*r.resync + 100*time.Millisecond) // one may be under way, and another one due
	}

	replicas := []*server{s}
	for i := 1; i < scaleReplicas; i++ {
		another := newReplica(dir, bin, i)
		defer another.end()
		if err := another.Start(nil); err != nil {
			return r, err
		}
		replicas = append(replicas, another)
	}
	for _, s := range replicas {
		if err := until(ctx, s.address, uuid.NewString(), knowsAll); err != nil {
			return r, err
		}
	}
	r.visible50, r.visible99, err = visible(ctx, replicas)
	return r, err
}

// startUp starts a server and returns how long it takes until it answers at all,
// and until it knows every name.
func startUp(ctx context.Context, s *server) (first, all time.Duration, err error) {
	begin := time.Now()
	if err := s.Start(nil); err != nil {
		return 0, 0, err
	}
	absent := uuid.NewString()
	if err := until(ctx, s.address, absent, func(*dns.Msg) bool { return true }); err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, s.Tail())
	}
	first = time.Since(begin)
	err = until(ctx, s.address, absent, knowsAll)
	return first, time.Since(begin), err
}

// knowsAll reports whether an answer about a name without a value is a "no", and
// not "cannot tell".
func knowsAll(m *dns.Msg) bool { return m.Rcode == dns.RcodeSuccess }

func hasNone(m *dns.Msg) bool { return m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 }

// until asks for a name until the answer is as wanted, for at most two minutes.
func until(ctx context.Context, address, id string, ok func(*dns.Msg) bool) error {
	query := pack(new(dns.Msg).SetQuestion(id+"."+world.Zone+".", dns.TypeTXT))
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	buf, m := make([]byte, maxAnswer), new(dns.Msg)
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; {
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = conn.Write(query)
		if n, err := conn.Read(buf); err == nil && m.Unpack(buf[:n]) == nil && ok(m) {
			return nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	return fmt.Errorf("%s does not answer as it should for %s", address, id)
}

// forgetSubscribers closes the subscriptions: whoever had one reads everything again.
func forgetSubscribers(ctx context.Context, client *redis.Client) {
	client.Do(ctx, "CLIENT", "KILL", "TYPE", "pubsub")
}

// resync takes a name away, without telling, and the subscription: when the name
// is gone everything has been read, because only the end of that removes names.
func resync(ctx context.Context, client *redis.Client, s *server, id string) (time.Duration, error) {
	if err := client.Del(ctx, redisKey(id)).Err(); err != nil {
		return 0, err
	}
	begin := time.Now()
	forgetSubscribers(ctx, client)
	err := until(ctx, s.address, id, hasNone)
	return time.Since(begin), err
}

// change adds a second value to names, and takes it away again, until ctx is
// done. It returns how many changes there were in a second.
func change(ctx context.Context, client *redis.Client, ids []string) float64 {
	const perTick = 10
	tick := time.NewTicker(time.Second * perTick / changesPerSecond)
	defer tick.Stop()
	begin, n := time.Now(), 0
	expiry := float64(begin.Add(time.Hour).UnixMilli())
	for ctx.Err() == nil {
		_, err := client.Pipelined(context.WithoutCancel(ctx), func(pipe redis.Pipeliner) error {
			for range perTick {
				id := ids[rand.IntN(len(ids))]
				if n++; n%2 == 0 {
					pipe.ZAdd(ctx, redisKey(id), redis.Z{Score: expiry, Member: "second value"})
				} else {
					pipe.ZRem(ctx, redisKey(id), "second value")
				}
				pipe.Publish(ctx, "signpost:{"+world.Zone+"}", id)
			}
			return nil
		})
		if err != nil {
			break
		}
		<-tick.C
	}
	return float64(n) / time.Since(begin).Seconds()
}

// visible returns the times from the beginning of a change until all replicas answer with it.
func visible(ctx context.Context, replicas []*server) (p50, p99 time.Duration, err error) {
	store, err := store.NewRedis(world.Zone, store.RedisOptions{URL: "redis://" + world.RedisAddress + "/0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, 0, err
	}
	defer store.Close()
	var times []time.Duration
	for range visibleChanges {
		id := uuid.New()
		begin := time.Now()
		if err := store.Add(ctx, id, value); err != nil {
			return 0, 0, err
		}
		errs := make([]error, len(replicas))
		var wg sync.WaitGroup
		for i, s := range replicas {
			wg.Go(func() {
				errs[i] = until(ctx, s.address, id.String(), func(m *dns.Msg) bool { return len(m.Answer) == 1 })
			})
		}
		wg.Wait()
		times = append(times, time.Since(begin))
		for _, err := range append(errs, store.Remove(ctx, id, value)) {
			if err != nil {
				return 0, 0, err
			}
		}
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100], nil
}

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
