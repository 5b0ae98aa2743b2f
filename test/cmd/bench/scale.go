package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/miekg/dns"
	"github.com/redis/go-redis/v9"

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
