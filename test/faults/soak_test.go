package faults

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
)

var (
	soakCount = flag.Int("soak", 1000, "how many challenges TestSoak has presented and cleaned up, at least")
	soakSeed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of TestSoak's faults and challenges")
)

const (
	soakReplicas = 3
	soakWorkers  = 96 // challenges under way at a time
)

// soak is a run of TestSoak.
type soak struct {
	*stage
	history
	mu       sync.Mutex
	finished atomic.Int64
	stop     atomic.Bool
}

// Challenges by the thousand, through three replicas, while one fault comes after
// the other. What has happened is recorded, and then checked: see history.verify.
func TestSoak(t *testing.T) {
	t.Logf("to repeat this: -run TestSoak -soak %d -seed %d", *soakCount, *soakSeed)
	st, redis, host := startApart(t, "soak", soakReplicas, persistent(t)...)
	s := &soak{stage: st}
	begin := time.Now()
	var workers sync.WaitGroup
	for i := range soakWorkers {
		workers.Go(func() { s.work(rand.New(rand.NewPCG(*soakSeed, uint64(i+1)))) })
	}
	s.chaos(rand.New(rand.NewPCG(*soakSeed, 0)), redis, host, begin.Add(2*time.Minute+time.Duration(*soakCount)*100*time.Millisecond))
	s.stop.Store(true)
	workers.Wait()
	took := time.Since(begin)
	time.Sleep(settle)

	violations := s.verify()
	for _, v := range violations[:min(20, len(violations))] {
		t.Error(v)
	}
	if len(violations) > 0 {
		t.Errorf("%d violations in all (seed %d)", len(violations), *soakSeed)
		for _, e := range s.episodes {
			t.Logf("%s %s %d for %v", e.begin.Format("05.000"), e.kind, e.replica, e.end.Sub(e.begin))
		}
	}
	for _, r := range s.replicas {
		if got := metric(r, "signpost_records_names"); got != "0" {
			t.Errorf("%s has %s names left", r.Name, got)
		}
	}
	if left := redis.Do("KEYS", "signpost:{*}:????????-*").([]any); len(left) > 0 {
		t.Errorf("Redis has %q left", left)
	}
	text := s.report(took)
	t.Log(text)
	if *update {
		save(t, "soak", text)
	}
}

// work has challenges one after the other.
func (s *soak) work(random *rand.Rand) {
	for !s.stop.Load() {
		l := &life{challenge: s.newChallenge(), began: time.Now()}
		for range 3 {
			if s.try(l, random, whapi.ChallengeActionPresent) {
				l.presented = time.Now()
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !l.presented.IsZero() {
			s.watch(l, holdFor(random))
		}
		l.cleanBegan = time.Now()
		for !s.try(l, random, whapi.ChallengeActionCleanUp) {
			time.Sleep(100 * time.Millisecond)
		}
		l.cleaned = time.Now()
		s.watch(l, 300*time.Millisecond)
		s.mu.Lock()
		s.lives = append(s.lives, l)
		s.mu.Unlock()
		s.finished.Add(1)
	}
}

// holdFor returns how long a challenge is there: most are soon validated, and some
// see a fault come and go.
func holdFor(random *rand.Rand) time.Duration {
	d := time.Duration(random.IntN(300)) * time.Millisecond
	switch n := random.IntN(20); {
	case n == 0:
		return 20 * d
	case n < 5:
		return 5 * d
	}
	return d
}

// try makes a call to some replica, and notes what it says if it fails.
func (s *soak) try(l *life, random *rand.Rand, action whapi.ChallengeAction) bool {
	err := s.replicas[random.IntN(len(s.replicas))].call(action, l.challenge)
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), ";")
		text, _, _ = strings.Cut(text, ": ")
		l.failures = append(l.failures, fmt.Sprintf("%s: %s", action, text))
	}
	return err == nil
}

// watch asks every replica for the challenge, at once and then more and more seldom.
func (s *soak) watch(l *life, d time.Duration) {
	end := time.Now().Add(d)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		for i, r := range s.replicas {
			a := asked{replica: i, sent: time.Now()}
			a.answer = ask(net.JoinHostPort(r.address, "53"), l.target)
			a.received = time.Now()
			l.asked = append(l.asked, a)
		}
		if time.Now().Add(pause).After(end) {
			return
		}
		time.Sleep(pause)
	}
}

// report says what was done.
func (s *soak) report(took time.Duration) string {
	kinds, said := map[string]int{}, map[string]int{}
	for _, e := range s.episodes {
		kinds[e.kind]++
	}
	var presented, queries int
	var presenting []time.Duration
	for _, l := range s.lives {
		queries += len(l.asked)
		if !l.presented.IsZero() {
			presented++
			presenting = append(presenting, l.presented.Sub(l.began))
		}
		for _, f := range l.failures {
			said[f]++
		}
	}
	slices.Sort(presenting)
	quantile := func(q float64) string {
		return fmt.Sprintf("%.0f ms", float64(presenting[int(q*float64(len(presenting)-1))])/float64(time.Millisecond))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d challenges in %.0f s, %d at a time, through %d replicas; seed %d. Of these %d were presented, after %s (median), %s (99 of 100), "+
		"%s (all), failed tries included; the others were given up and cleaned up.\n%d answers were checked: %d violations.\n\n",
		len(s.lives), took.Seconds(), soakWorkers, soakReplicas, *soakSeed, presented, quantile(0.5), quantile(0.99), quantile(1), queries, len(s.verify()))
	for _, list := range []struct {
		title string
		what  map[string]int
	}{{"fault", kinds}, {"a call that failed", said}} {
		fmt.Fprintf(&b, "| %s | times |\n|---|---:|\n", list.title)
		for _, name := range slices.SortedFunc(maps.Keys(list.what), func(a, b string) int { return cmp.Or(list.what[b]-list.what[a], strings.Compare(a, b)) }) {
			fmt.Fprintf(&b, "| %s | %d |\n", name, list.what[name])
		}
		b.WriteString("\n")
	}
	return b.String()
}
