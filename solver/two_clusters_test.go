package solver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// side is one of two clusters that issue for one domain, with one replica: its
// Challenges, which outlive the replica, and what it does with the shared Redis.
type side struct {
	name   string
	t      *testing.T
	zone   *zone.Zone
	target zone.Target
	redis  *redistest.Server

	challenges fakeChallenges
	issued     int

	solver *Solver
	stop   func() // kills the replica: nothing is withdrawn
	live   []*side
	server string
}

// ownStore fails the test when a cluster removes what is not its own.
type ownStore struct {
	*store.Redis
	side *side
}

func (s ownStore) Remove(ctx context.Context, id uuid.UUID, value string) error {
	if !strings.HasPrefix(value, s.side.name+"-") {
		s.side.t.Errorf("cluster %s removes %s", s.side.name, value)
	}
	return s.Redis.Remove(ctx, id, value)
}

// start runs the side's replica, and waits until it is announced.
func (s *side) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	st, err := store.NewRedis(s.zone.Origin(), store.RedisOptions{URL: s.redis.URL()}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	ns, err := s.zone.Nameservers([]string{"ns.example.com"})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &store.Copy{}
	server, err := dnsserve.Listen(dnsserve.Config{Zone: s.zone, Nameservers: ns, Records: c, Listen: []string{"127.0.0.1:0"}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = server.Addrs()[0].String()
	there := func(context.Context, string, string) check.Finding { return check.Finding{Status: check.OK} }
	log := slog.New(slog.DiscardHandler)
	s.solver = New(s.zone, ownStore{st, s}, DNSServes, there, log)
	w := &Watcher{Challenges: &s.challenges, Store: ownStore{st, s}, Zone: s.zone, LookUp: there, Presented: s.solver.Presented, Returned: c.Returned, Log: log}
	announced := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { st.Follow(ctx, c) })
	wg.Go(func() { _ = server.Run(ctx) })
	wg.Go(func() { w.Run(ctx) })
	wg.Go(func() {
		once := sync.OnceFunc(func() { close(announced) })
		for ctx.Err() == nil {
			if c.Synced() && st.Announce(ctx, s.server) == nil {
				once()
			}
			select {
			case <-ctx.Done():
			case <-time.After(store.HeartbeatInterval / 2):
			}
		}
	})
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); st.Close() })
	s.t.Cleanup(s.stop)
	<-announced
}

// begin makes a Challenge, as cert-manager does.
func (s *side) begin() cluster.Challenge {
	s.challenges.mu.Lock()
	defer s.challenges.mu.Unlock()
	s.issued++
	c := challenge()
	c.Key = fmt.Sprintf("%s-%d", s.name, s.issued)
	c.UID, c.Name, c.Processing = types.UID(c.Key), c.Key, true
	s.challenges.watched = append(slices.Clone(s.challenges.watched), c)
	return c
}

// change changes the Challenge in the API server; nil ends it.
func (s *side) change(c cluster.Challenge, change func(*cluster.Challenge)) {
	s.challenges.mu.Lock()
	defer s.challenges.mu.Unlock()
	list := slices.Clone(s.challenges.watched)
	i := slices.IndexFunc(list, func(x cluster.Challenge) bool { return x.UID == c.UID })
	if change == nil {
		c.Ended = true
		s.challenges.current[c.UID] = []cluster.Challenge{c}
		list = slices.Delete(list, i, i+1)
	} else {
		change(&list[i])
	}
	s.challenges.watched = list
}

func (s *side) request(c cluster.Challenge) *whapi.ChallengeRequest {
	return &whapi.ChallengeRequest{ResourceNamespace: c.Scope, DNSName: c.Domain, Key: c.Key}
}

// insist repeats a call as cert-manager does, for some time.
func (s *side) insist(call func(*whapi.ChallengeRequest) error, c cluster.Challenge) error {
	var err error
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = call(s.request(c)); err == nil {
			return nil
		}
	}
	return err
}

// present presents a Challenge, and notes that in its status.
func (s *side) present() (cluster.Challenge, error) {
	c := s.begin()
	if err := s.insist(s.solver.Present, c); err != nil {
		return c, fmt.Errorf("cluster %s: Present of %s: %w", s.name, c.Key, err)
	}
	s.change(c, func(c *cluster.Challenge) { c.Presented = true })
	return c, nil
}

// validated asks the servers of all that live, for some time, as a CA does.
func (s *side) validated(c cluster.Challenge, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, other := range s.live {
			ok, err := DNSServes(s.t.Context(), other.server, s.target.Name, c.Key)
			for tries := 0; err != nil && tries < 5; tries++ { // a busy machine loses packets
				ok, err = DNSServes(s.t.Context(), other.server, s.target.Name, c.Key)
			}
			if err != nil || !ok {
				return fmt.Errorf("%s is not answered by cluster %s: %v, %w", c.Key, other.name, ok, err)
			}
		}
	}
	return nil
}

// end ends a Challenge, and cleans it up.
func (s *side) end(c cluster.Challenge) error {
	s.change(c, nil)
	if err := s.insist(s.solver.CleanUp, c); err != nil {
		return fmt.Errorf("cluster %s: CleanUp of %s: %w", s.name, c.Key, err)
	}
	return nil
}

// issue issues again and again until ctx is done, at least n times.
func (s *side) issue(ctx context.Context, n int) error {
	for i := 0; i < n || ctx.Err() == nil; i++ {
		c, err := s.present()
		if err == nil {
			err = s.validated(c, 100*time.Millisecond)
		}
		if err == nil {
			err = s.end(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Two clusters with one Redis issue the same wildcard again and again, while Redis
// comes back with an older snapshot and one of them is killed: neither ever removes
// a value of the other, both wait for the servers of both, and the one that is gone
// is not waited for.
func TestTwoClusters(t *testing.T) {
	t.Parallel()
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	target, err := z.Target("cert-manager", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	redis := redistest.Start(t, "--dir", dir, "--dbfilename", "dump.rdb", "--shutdown-on-sigterm", "nosave")
	newSide := func(name string) *side {
		return &side{name: name, t: t, zone: z, target: target, redis: redis, challenges: fakeChallenges{current: map[types.UID][]cluster.Challenge{}}}
	}
	a, b := newSide("a"), newSide("b")
	a.start()
	b.start()
	a.live, b.live = []*side{a, b}, []*side{a, b}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	values := func() []string {
		list, err := redis.Client().ZRange(t.Context(), "signpost:{acme.example.com}:"+target.ID.String(), 0, -1).Result()
		must(err)
		return list
	}
	enough, cancel := context.WithCancel(t.Context())
	cancel() // so that issue does not go on
	both := func(during func(), n int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		for _, s := range []*side{a, b} {
			go func() { errs <- s.issue(ctx, n) }()
		}
		during()
		cancel()
		must(errors.Join(<-errs, <-errs))
	}
	rollBack := func(snapshot []byte) {
		t.Helper()
		redis.Kill()
		must(os.WriteFile(filepath.Join(dir, "dump.rdb"), snapshot, 0o600))
		redis.Run()
	}
	snapshot := func() []byte {
		t.Helper()
		redis.Do("SAVE")
		b, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
		must(err)
		return b
	}

	both(func() { time.Sleep(time.Second) }, 5)

	// What both have cleaned up comes back: each removes its own.
	oldA, err := a.present()
	must(err)
	oldB, err := b.present()
	must(err)
	time.Sleep(2 * time.Second) // the watches see them
	before := snapshot()
	must(errors.Join(a.end(oldA), b.end(oldB)))
	liveB, err := b.present()
	must(err)
	both(func() { rollBack(before) }, 2)
	eventuallySo(t, "what came back is removed", func() bool {
		list := values()
		return !slices.Contains(list, oldA.Key) && !slices.Contains(list, oldB.Key)
	})
	must(b.validated(liveB, 100*time.Millisecond)) // put back by its own cluster

	// One is killed, with a value presented, and what it had cleaned up comes back.
	goneB, err := b.present()
	must(err)
	time.Sleep(2 * time.Second)
	before = snapshot()
	must(b.end(goneB))
	b.stop()
	a.live = []*side{a}
	begin := time.Now()
	must(a.issue(enough, 1))
	if d := time.Since(begin); d > 2*store.HeartbeatLifetime {
		t.Errorf("a cluster that is gone was waited for, for %v", d)
	}
	rollBack(before)
	must(a.issue(enough, 5))
	time.Sleep(3 * time.Second)
	if list := values(); !slices.Contains(list, liveB.Key) || !slices.Contains(list, goneB.Key) {
		t.Errorf("the store has %q, without what is another cluster's", list)
	}

	// It comes back, and goes on.
	b.start()
	a.live, b.live = []*side{a, b}, []*side{a, b}
	must(b.validated(liveB, 100*time.Millisecond))
	both(func() { time.Sleep(time.Second) }, 3)
	must(b.end(liveB))
	if list := values(); !slices.Equal(list, []string{goneB.Key}) { // its replica does not know that it was its own; it expires
		t.Errorf("in the end the store has %q", list)
	}
}

func eventuallySo(t *testing.T, what string, so func() bool) {
	t.Helper()
	poll.True(t, 30*time.Second, what, so)
}
