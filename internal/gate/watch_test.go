package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

func all(string) bool { return true }

// watched is a Watcher in a bubble with its own clock.
type watched struct {
	*fakeCluster
	dns     *fakeDNS
	watcher *Watcher
	looks   *Looks
}

func watching(t *testing.T, test func(t *testing.T, w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{fakeCluster: newFakeCluster(), dns: &fakeDNS{}}
		w.looks = NewLooks(w.dns.look, always, &fakeShared{})
		w.watcher = NewWatcher(w, w.looks, all, discard)
		run(t, w.watcher)
		test(t, w)
	})
}

// run runs a Watcher for as long as the test.
func run(t *testing.T, w *Watcher) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done; time.Sleep(2 * lookTimeout) }) // looks that nobody waits for any more end too
	synctest.Wait()
}

func requestFor(t *testing.T, name string, denied bool, domains ...string) cluster.Request {
	r := cluster.Request{Namespace: "web", Name: name, UID: types.UID(name), Denied: denied, Since: time.Now()}
	for _, d := range domains {
		r.Targets = append(r.Targets, target(t, "web", d))
	}
	return r
}

// after lets time pass, and says what has happened since the test began.
func (w *watched) after(d time.Duration) (looks, nudges int, told []string) {
	time.Sleep(d)
	synctest.Wait()
	looks = w.dns.count()
	w.mu.Lock()
	defer w.mu.Unlock()
	return looks, len(w.nudges), slices.Clone(w.told)
}

// A request is looked at as soon as it is seen, so that the gate knows when
// cert-manager comes, and nobody is told anything if all is well.
func TestNewRequestIsLookedAtOnce(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.set(func() { w.requests = []cluster.Request{requestFor(t, "r", false, "example.com")} })
		looks, nudges, told := w.after(settleTime)
		if looks != 1 || nudges != 0 || len(told) != 0 || !w.looks.Fresh(t.Context(), w.requests[0].Targets) {
			t.Errorf("%d looks, %d nudges, %q", looks, nudges, told)
		}
		if looks, nudges, _ := w.after(50 * time.Second); looks != 1 || nudges != 0 {
			t.Errorf("later %d looks, %d nudges", looks, nudges)
		}
		if looks, _, _ := w.after(20 * time.Second); looks != 2 {
			t.Errorf("after a minute %d looks", looks)
		}
	})
}

// cert-manager was quicker than the look: it is nudged at once, with what was seen.
func TestDeniedThoughTheRecordIsThere(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.dns.takes = 400 * time.Millisecond
		w.set(func() { w.requests = []cluster.Request{requestFor(t, "r", false, "example.com")} })
		w.after(100 * time.Millisecond)
		w.set(func() { w.requests[0].Denied = true })
		looks, nudges, told := w.after(time.Second)
		if looks != 1 || nudges != 1 || len(told) != 0 {
			t.Errorf("%d looks, %d nudges, %q", looks, nudges, told)
		}
	})
}

// A request that goes on to be denied is nudged with back-off, fewer than five
// times in the first minute, and then once a minute; and never without a fresh look.
func TestStillDenied(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.onNudge = func(r cluster.Request) {
			if !w.looks.Fresh(context.Background(), r.Targets) {
				t.Error("nudged without a fresh look")
			}
		}
		began := time.Now()
		w.set(func() { w.requests = []cluster.Request{requestFor(t, "r", true, "example.com")} })
		w.after(5 * time.Minute)
		var at []time.Duration
		for _, n := range w.nudges {
			at = append(at, n.at.Sub(began).Round(time.Second))
		}
		want := []time.Duration{0, 2 * time.Second, 10 * time.Second, 42 * time.Second, 102 * time.Second}
		if len(at) < 7 || len(at) > 9 {
			t.Fatalf("nudged at %v, want about %v and then every minute", at, want)
		}
		for i, d := range want {
			if late := at[i] - d; late < 0 || late > 3*time.Second {
				t.Errorf("nudged at %v, want about %v", at, want)
				break
			}
		}
		if w.set(func() { w.requests[0].Denied = false }); w.nudged() > 9 {
			t.Errorf("%d nudges", w.nudged())
		}
		w.after(2 * time.Minute) // it got its Order; a later denial is another matter
		before := w.nudged()
		w.set(func() { w.requests[0].Denied = true })
		if _, nudges, _ := w.after(time.Second); nudges != before+1 {
			t.Errorf("%d nudges after another denial", nudges-before)
		}
	})
}

// A record that is missing is told once and looked for at the stated pauses; when
// it is there cert-manager is nudged within the pause.
func TestRecordMissing(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.dns.say(missing)
		w.set(func() { w.requests = []cluster.Request{requestFor(t, "r", true, "example.com")} })
		looks, nudges, told := w.after(time.Minute)
		if looks < 23 || looks > 31 || nudges != 0 || !slices.Equal(told, []string{"CNAMENeeded: Add it."}) {
			t.Errorf("in a minute %d looks, %d nudges, %q", looks, nudges, told)
		}
		if w.watcher.Waiting() != 1 {
			t.Errorf("%d are waiting", w.watcher.Waiting())
		}
		w.after(2 * time.Hour)
		before := w.dns.count()
		if looks, _, told := w.after(time.Hour); looks-before < 220 || looks-before > 241 || len(told) != 4 {
			t.Errorf("in the fourth hour %d looks; told %q, want once an hour, for events go away", looks-before, told)
		}
		w.after(6 * time.Hour)
		before = w.dns.count()
		if looks, _, _ := w.after(time.Hour); looks-before < 55 || looks-before > 61 {
			t.Errorf("in the tenth hour %d looks", looks-before)
		}
		w.dns.say(there)
		if _, nudges, _ := w.after(67 * time.Second); nudges == 0 {
			t.Error("the record is there, and cert-manager does not know")
		}
		w.set(func() { w.requests = nil })
		w.after(time.Second)
		if w.watcher.Waiting() != 0 || len(w.watcher.entries) != 0 {
			t.Errorf("%d are waiting, %d are remembered", w.watcher.Waiting(), len(w.watcher.entries))
		}
	})
}

func TestRecordAppears(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.dns.say(missing)
		w.set(func() { w.requests = []cluster.Request{requestFor(t, "r", true, "example.com")} })
		w.after(10 * time.Minute)
		w.set(func() { w.onNudge = func(cluster.Request) { w.requests[0].Denied = false } })
		w.dns.say(there)
		if _, nudges, _ := w.after(3600 * time.Millisecond); nudges != 1 {
			t.Errorf("%d nudges 3.6 s after the record was there", nudges)
		}
		w.dns.say(missing) // and it went again, before there was an Order
		if _, _, told := w.after(2 * time.Minute); len(told) != 2 {
			t.Errorf("told %q", told)
		}
	})
}

// An event that cannot be made is made later, and the log is not filled with it.
func TestEventIsTriedAgain(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.dns.say(missing)
		w.set(func() {
			w.telling = errors.New("no")
			w.requests = []cluster.Request{requestFor(t, "r", true, "example.com")}
		})
		w.after(time.Minute)
		w.set(func() { w.telling = nil })
		if _, _, told := w.after(4 * time.Second); len(told) != 1 {
			t.Errorf("told %q", told)
		}
	})
}

// A request that can never be let through is told so, and not looked up. When the
// reason is gone, it goes on at once.
func TestRefused(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		r := requestFor(t, "r", true, "example.com")
		r.Refused = "It is not among orderGate.issuers. " + strings.Repeat("x", 2000)
		w.set(func() { w.requests = []cluster.Request{r} })
		looks, nudges, told := w.after(10 * time.Minute)
		if looks != 0 || nudges != 0 || len(told) != 1 || !strings.HasPrefix(told[0], "OrderRefused: It is not") || len(told[0]) > maxText+len("OrderRefused: ") {
			t.Errorf("%d looks, %d nudges, %q", looks, nudges, told)
		}
		w.set(func() { w.requests[0].Refused = "" })
		if _, nudges, _ := w.after(time.Second); nudges != 1 {
			t.Errorf("%d nudges a second after the Issuer was named", nudges)
		}
	})
}

// Whether a CertificateSigningRequest was denied cannot be seen on it.
func TestSigningRequest(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.dns.say(missing)
		r := requestFor(t, "s", false, "example.com")
		r.Signing = true
		w.set(func() { w.requests = []cluster.Request{r} })
		if _, nudges, told := w.after(10 * time.Second); nudges != 0 || len(told) != 1 {
			t.Errorf("%d nudges, %q", nudges, told)
		}
		w.dns.say(there)
		if _, nudges, _ := w.after(4 * time.Second); nudges != 1 {
			t.Errorf("%d nudges", nudges)
		}
		if _, nudges, _ := w.after(10 * time.Minute); nudges < 9 || nudges > 11 {
			t.Errorf("%d nudges in ten minutes", nudges)
		}
	})
}

// A domain that answers differently each time, a cert-manager that asks the gate at
// each nudge, and two replicas that both believe that the request is theirs: fewer
// than five nudges each a minute, and a text that does not change.
func TestFlappingDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, shared, n := newFakeCluster(), &fakeShared{fails: true}, 0
		dns := &fakeDNS{says: func(string) check.Finding {
			n++
			return []check.Finding{there, missing, there, silent}[n%4]
		}}
		c.requests = []cluster.Request{requestFor(t, "r", true, "example.com")} // nudged or not
		for range 2 {
			run(t, NewWatcher(c, NewLooks(dns.look, always, shared), all, discard))
		}
		for range 5 {
			before := c.nudged()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := c.nudged() - before; got >= 2*5 {
				t.Errorf("%d nudges in a minute by two replicas", got)
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.nudges) < 2 {
			t.Errorf("%d nudges: the test tests nothing", len(c.nudges))
		}
		for _, told := range c.told {
			if told != "CNAMENeeded: Add it." && told != "CNAMENeeded: Make it answer." {
				t.Errorf("told %q", told)
			}
		}
	})
}

// After a long outage 200 requests wait whose records are there: they are nudged at
// a pace, and a new request does not wait for them.
func TestNudgesArePaced(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		w.dns.takes = 50 * time.Millisecond
		w.set(func() {
			for i := range 200 {
				w.requests = append(w.requests, requestFor(t, fmt.Sprint("r", i), true, fmt.Sprintf("n%d.example.com", i)))
			}
			w.onNudge = func(r cluster.Request) { // lets it through
				for i := range w.requests {
					w.requests[i].Denied = w.requests[i].Denied && w.requests[i].Name != r.Name
				}
			}
		})
		w.after(2 * time.Second)
		fast := requestFor(t, "new", false, "new.example.com")
		w.set(func() { w.requests = append(w.requests, fast) })
		if w.after(500 * time.Millisecond); !w.looks.Fresh(t.Context(), fast.Targets) {
			t.Error("the new request's record was not looked at within half a second")
		}
		w.after(20 * time.Second)
		count := map[string]int{}
		for i, n := range w.nudges {
			count[n.name]++
			if i >= 2*nudgesASecond && n.at.Sub(w.nudges[i-2*nudgesASecond].at) < 500*time.Millisecond {
				t.Errorf("%d nudges in %v", 2*nudgesASecond, n.at.Sub(w.nudges[i-2*nudgesASecond].at))
			}
		}
		if len(count) != 200 || len(w.nudges) != 200 {
			t.Errorf("%d nudges for %d requests", len(w.nudges), len(count))
		}
		if took := w.nudges[199].at.Sub(w.nudges[0].at); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Zones that do not answer take seconds each, and hold up nobody else.
func TestDeadZones(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		dead := func(domain string) bool { return strings.HasPrefix(domain, "dead") }
		look := w.looks.look
		w.looks.look = func(ctx context.Context, scope, domain string) check.Finding {
			if dead(domain) {
				time.Sleep(lookTimeout)
				return silent
			}
			return look(ctx, scope, domain)
		}
		w.dns.say(missing)
		w.set(func() {
			for i := range 300 {
				w.requests = append(w.requests, requestFor(t, fmt.Sprint("d", i), true, fmt.Sprintf("dead%d.example.com", i)))
			}
		})
		w.after(10 * time.Minute)
		for i := range 20 {
			r := requestFor(t, fmt.Sprint("good", i), false, fmt.Sprintf("good%d.example.com", i))
			w.set(func() { w.requests = append(w.requests, r) })
			w.after(100 * time.Millisecond)
			if _, ok := w.looks.recall(r.Targets[0].ID); !ok {
				t.Fatalf("request %d was not looked at within 100 ms", i)
			}
		}
		before := w.dns.count()
		if looks, _, _ := w.after(time.Minute); looks-before < 20*16 {
			t.Errorf("%d looks in a minute for 20 waiting requests", looks-before)
		}
	})
}

// What is new has places of its own, however many wait, and however many of those that
// are new as well have dead servers: else its first Order is denied.
func TestNewAmongMany(t *testing.T) {
	for name, begin := range map[string]string{"waiting": "waits", "dead": "dead"} {
		t.Run(name, func(t *testing.T) {
			watching(t, func(t *testing.T, w *watched) {
				look := w.looks.look
				w.looks.look = func(ctx context.Context, scope, domain string) check.Finding {
					switch {
					case strings.HasPrefix(domain, "dead"):
						time.Sleep(lookTimeout)
						return silent
					case strings.HasPrefix(domain, "waits"): // slow, but not too slow
						time.Sleep(900 * time.Millisecond)
						return missing
					}
					return look(ctx, scope, domain)
				}
				w.set(func() {
					for i := range 1000 {
						w.requests = append(w.requests, requestFor(t, fmt.Sprint(i), true, fmt.Sprintf("%s%d.example.com", begin, i)))
					}
				})
				w.after(time.Minute)
				for i := range 20 {
					wanted := cluster.Wanted{Targets: []zone.Target{target(t, "web", fmt.Sprintf("new%d.example.com", i))}}
					w.set(func() { w.issuing = []cluster.Wanted{wanted} })
					if w.after(2 * settleTime); !w.looks.Fresh(t.Context(), wanted.Targets) {
						t.Errorf("%d is not seen", i)
					}
					w.after(700 * time.Millisecond)
				}
			})
		})
	}
}

// The work is shared: each request is looked after by one replica, and when that
// goes, by another.
func TestWorkIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster()
		var mu sync.Mutex
		owner := 0
		mine := func(self int) func(string) bool {
			return func(string) bool { mu.Lock(); defer mu.Unlock(); return owner == self }
		}
		var dns [2]*fakeDNS
		for i := range dns {
			dns[i] = &fakeDNS{says: func(string) check.Finding { return missing }}
			run(t, NewWatcher(c, NewLooks(dns[i].look, always, &fakeShared{}), mine(i), discard))
		}
		r := requestFor(t, "r", true, "example.com")
		c.set(func() {
			c.requests = []cluster.Request{r}
			c.issuing = []cluster.Wanted{{Targets: targets(t, 1)}}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		if dns[0].count() < 15 || dns[1].count() != 0 {
			t.Errorf("looks %d and %d", dns[0].count(), dns[1].count())
		}
		mu.Lock()
		owner = 1
		mu.Unlock()
		dns[1].say(there)
		time.Sleep(watchInterval + time.Second)
		synctest.Wait()
		if before := c.nudged(); before != 1 {
			t.Errorf("%d nudges by the replica that took over", before)
		}
	})
}

// What is about to be issued is looked at before there is a request: one look at a
// time for each name, however long it takes, and again when it is no longer fresh.
func TestAhead(t *testing.T) {
	watching(t, func(t *testing.T, w *watched) {
		list := targets(t, 3)
		w.set(func() { w.issuing = []cluster.Wanted{{Targets: list}} })
		if looks, _, _ := w.after(settleTime); looks != 3 || !w.looks.Fresh(t.Context(), list) {
			t.Errorf("%d looks", looks)
		}
		w.after(12 * time.Second)
		if looks := w.dns.count(); looks < 9 || looks > 12 || !w.looks.Fresh(t.Context(), list) {
			t.Errorf("%d looks at 3 names in 12 s", looks)
		}
		w.dns.mu.Lock()
		w.dns.takes = 10 * time.Second
		w.dns.mu.Unlock()
		before := w.dns.count()
		w.after(30 * time.Second)
		if looks := w.dns.count() - before; looks > 9 || w.dns.most > 3 {
			t.Errorf("%d looks at 3 slow names in 30 s, %d at once", looks, w.dns.most)
		}
		// Nor do they take more hands than one each.
		r := requestFor(t, "r", false, "other.example.com")
		w.set(func() { w.issuing, w.requests = []cluster.Wanted{{Targets: targets(t, 20)}}, nil })
		w.after(8 * time.Second)
		w.set(func() { w.requests = []cluster.Request{r} })
		w.after(settleTime)
		w.dns.mu.Lock()
		if !slices.Contains(w.dns.looks, "other.example.com") {
			t.Error("twenty slow names take all hands")
		}
		w.dns.mu.Unlock()
		w.set(func() { w.issuing = nil })
		w.after(time.Minute)
		w.watcher.mu.Lock()
		defer w.watcher.mu.Unlock()
		if len(w.watcher.early) > 0 {
			t.Errorf("%d looks are remembered", len(w.watcher.early))
		}
	})
}

func TestPause(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0: 2 * time.Second, time.Hour - 1: 2 * time.Second, time.Hour: 15 * time.Second, 6 * time.Hour: time.Minute, 30 * 24 * time.Hour: time.Minute, -time.Hour: 2 * time.Second,
	} {
		if got := pause(asked, 250); got != want {
			t.Errorf("pause(%v) = %v, want %v", asked, got, want)
		}
	}
	for waiting, want := range map[int]time.Duration{500: 4 * time.Second, 1000: 6 * time.Second, 2000: 10 * time.Second, 100_000: 15 * time.Second} {
		if got := pause(0, waiting); got != want {
			t.Errorf("with %d that wait %v, want %v", waiting, got, want)
		}
	}
}
