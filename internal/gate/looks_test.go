package gate

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/zone"
)

// TestFresh: what may let an Order through, and for how long.
func TestFresh(t *testing.T) {
	type at struct {
		name  string
		do    func(t *testing.T, dns *fakeDNS, shared *fakeShared, here, other *Looks, on zone.Target)
		fresh bool
	}
	for _, tc := range []at{
		{"nobody has looked", func(*testing.T, *fakeDNS, *fakeShared, *Looks, *Looks, zone.Target) {}, false},
		{"just seen here", func(t *testing.T, _ *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			here.Now(t.Context(), on)
		}, true},
		{"seen with a warning", func(t *testing.T, dns *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			dns.say(check.Finding{Status: check.Warning})
			here.Now(t.Context(), on)
		}, true},
		{"4.9 s ago", func(t *testing.T, _ *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			here.Now(t.Context(), on)
			time.Sleep(4900 * time.Millisecond)
		}, true},
		{"5 s ago", func(t *testing.T, _ *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			here.Now(t.Context(), on)
			time.Sleep(5 * time.Second)
		}, false},
		{"a look that took 8 s", func(t *testing.T, dns *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			dns.takes = 8 * time.Second
			here.Now(t.Context(), on)
		}, true},
		{"a look that took 8 s, and the store fails", func(t *testing.T, dns *fakeDNS, shared *fakeShared, here, _ *Looks, on zone.Target) {
			dns.takes, shared.fails = 8*time.Second, true
			here.Now(t.Context(), on)
		}, true},
		{"missing here", func(t *testing.T, dns *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			dns.say(missing)
			here.Now(t.Context(), on)
		}, false},
		{"unknown here", func(t *testing.T, dns *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			dns.say(silent)
			here.Now(t.Context(), on)
		}, false},
		{"a look that does not end", func(t *testing.T, dns *fakeDNS, _ *fakeShared, here, _ *Looks, on zone.Target) {
			dns.takes = time.Hour
			if f := here.Now(t.Context(), on); f.Status != check.Unknown {
				t.Errorf("it found %+v", f)
			}
		}, false},
		{"another replica has seen it", func(t *testing.T, _ *fakeDNS, _ *fakeShared, _, other *Looks, on zone.Target) {
			other.Now(t.Context(), on)
			time.Sleep(4 * time.Second)
		}, true},
		{"another replica had seen it", func(t *testing.T, _ *fakeDNS, _ *fakeShared, _, other *Looks, on zone.Target) {
			other.Now(t.Context(), on)
			time.Sleep(5 * time.Second)
		}, false},
		{"another replica has seen it, this one looked before", func(t *testing.T, dns *fakeDNS, _ *fakeShared, here, other *Looks, on zone.Target) {
			dns.say(missing)
			here.Now(t.Context(), on)
			dns.say(there)
			other.Now(t.Context(), on)
		}, true},
		{"the store fails", func(t *testing.T, _ *fakeDNS, shared *fakeShared, _, other *Looks, on zone.Target) {
			other.Now(t.Context(), on)
			shared.fails = true
		}, false},
		{"the store fails, seen here", func(t *testing.T, _ *fakeDNS, shared *fakeShared, here, _ *Looks, on zone.Target) {
			shared.fails = true
			here.Now(t.Context(), on)
		}, true},
		{"the store hangs", func(t *testing.T, _ *fakeDNS, shared *fakeShared, _, other *Looks, on zone.Target) {
			other.Now(t.Context(), on)
			shared.hangs = true
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dns, shared := &fakeDNS{}, &fakeShared{}
				here, other := NewLooks(dns.look, always, shared), NewLooks(dns.look, always, shared)
				on := target(t, "web", "example.com")
				tc.do(t, dns, shared, here, other, on)
				looks, began := dns.count(), time.Now()
				if got := here.Fresh(t.Context(), []zone.Target{on}); got != tc.fresh {
					t.Errorf("Fresh = %v", got)
				}
				if took := time.Since(began); took > sharing || dns.count() != looks {
					t.Errorf("it took %v, and %d looks", took, dns.count()-looks)
				}
				for _, other := range []zone.Target{target(t, "thief", "example.com"), target(t, "web", "www.example.com")} {
					if here.Fresh(t.Context(), []zone.Target{on, other}) {
						t.Errorf("%+v was let through too", other)
					}
				}
			})
		})
	}
}

// One look is made however many ask, and each of them may stop waiting.
func TestLooksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{takes: time.Second}
		l := NewLooks(dns.look, always, &fakeShared{})
		on := target(t, "web", "example.com")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if i == 0 {
					if f := l.Now(ctx, on); f.Status != check.Unknown { // the first, whose look it is, gives up
						t.Errorf("it found %+v", f)
					}
					return
				}
				if f := l.Now(t.Context(), on); f.Status != check.OK {
					t.Errorf("it found %+v", f)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if dns.count() != 1 {
			t.Errorf("%d looks", dns.count())
		}
	})
}

// TestWithin is Present's memory: a record that was just seen is not looked at
// again, and one that was missing is.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{}
		l := NewLooks(dns.look, always, &fakeShared{})
		on := target(t, "web", "example.com")
		for i, step := range []struct {
			after time.Duration
			says  check.Finding
			looks int
			found check.Status
		}{
			{0, missing, 1, check.Failed},
			{0, missing, 2, check.Failed},
			{0, there, 3, check.OK},
			{4 * time.Second, missing, 3, check.OK},
			{2 * time.Second, missing, 4, check.Failed},
		} {
			time.Sleep(step.after)
			dns.say(step.says)
			if f := l.Within(t.Context(), on, 5*time.Second); f.Status != step.found || dns.count() != step.looks {
				t.Errorf("step %d: %s after %d looks, want %s after %d", i, f.Status, dns.count(), step.found, step.looks)
			}
		}
	})
}

// All says the same whoever answers first, and does not look at a hundred names of
// which one is missing.
func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := targets(t, 100)
		bad := map[string]bool{list[5].Domain: true, list[7].Domain: true}
		dns := &fakeDNS{takes: time.Second}
		dns.says = func(domain string) check.Finding {
			if bad[domain] {
				return check.Finding{Status: check.Failed, Hint: domain}
			}
			return there
		}
		l := NewLooks(dns.look, always, &fakeShared{})
		for range 3 {
			if f, ok := l.All(t.Context(), list); ok || f.Hint != list[5].Domain {
				t.Errorf("All = %+v, %v", f, ok)
			}
		}
		if dns.count() > 3*together || dns.most > together {
			t.Errorf("%d looks, %d at once", dns.count(), dns.most)
		}
		bad = nil
		began := time.Now()
		if f, ok := l.All(t.Context(), list); !ok {
			t.Errorf("All = %+v", f)
		}
		if !l.Fresh(t.Context(), list) {
			t.Errorf("after %v the first of the looks are too old for the gate", time.Since(began))
		}
	})
}

// What is remembered is bounded, and the oldest goes first.
func TestLooksAreBounded(t *testing.T) {
	l := NewLooks(nil, always, nil)
	now := time.Now()
	id := func(i int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)) }
	for i := range maxLooks {
		at := now
		if i < 1000 {
			at = now.Add(-2 * forget)
		}
		l.remember(id(i), seen{finding: there, at: at})
	}
	l.remember(id(5), seen{finding: missing, at: now}) // known already: nobody has to go
	if len(l.known) != maxLooks {
		t.Errorf("%d looks are remembered", len(l.known))
	}
	for i := maxLooks; i < maxLooks+100; i++ {
		l.remember(id(i), seen{finding: there, at: now})
		if _, ok := l.recall(id(i)); !ok || len(l.known) > maxLooks {
			t.Fatalf("%d looks are remembered, the newest: %v", len(l.known), ok)
		}
	}
	for i := range 1000 {
		if s, ok := l.recall(id(i)); ok && now.Sub(s.at) > forget {
			t.Fatal("an old look is remembered, while younger ones had to go")
		}
	}
}

// always is Changed for a record about which nothing is known.
func always(context.Context, zone.Target) bool { return true }

// A missing record is asked about at little cost, and looked at only when something
// may have changed.
func TestLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := target(t, "cert-manager", "example.com")
		finding, looks, changed := check.Finding{Status: check.Failed}, 0, false
		l := NewLooks(func(context.Context, string, string) check.Finding { looks++; return finding },
			func(context.Context, zone.Target) bool { return changed }, &fakeShared{})
		for range 5 {
			if _, ok := l.All(t.Context(), []zone.Target{target}); ok {
				t.Fatal("a missing record permits")
			}
		}
		if looks != 1 {
			t.Errorf("%d looks for a record that is missing and does not change", looks)
		}
		finding, changed = check.Finding{Status: check.OK}, true
		if _, ok := l.All(t.Context(), []zone.Target{target}); !ok || looks != 2 {
			t.Errorf("the record is there: %v after %d looks", ok, looks)
		}
		changed = false
		time.Sleep(2 * time.Second)
		if _, ok := l.All(t.Context(), []zone.Target{target}); !ok || looks != 3 {
			t.Errorf("a record that was there is looked at again: %v after %d looks", ok, looks)
		}
	})
}

// A zone that is not delegated lets nothing through, however right an owner's record
// is: the CA would not find us. Nobody's servers are asked meanwhile, and it goes on as
// soon as the delegation is there.
func TestZoneIsNotDelegated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns, shared := &fakeDNS{}, &fakeShared{}
		here, other := NewLooks(dns.look, always, shared), NewLooks(dns.look, always, shared)
		zoneIs := check.Finding{Check: "delegation-missing", Status: check.Failed, Hint: "Add the NS record."}
		here.Delegated = func(context.Context) check.Finding { return zoneIs }
		list := targets(t, 3)
		for range 3 {
			if f, ok := here.All(t.Context(), list); ok || f != zoneIs {
				t.Errorf("All = %+v, %v", f, ok)
			}
		}
		if here.Fresh(t.Context(), list[:1]) || other.Fresh(t.Context(), list[:1]) {
			t.Error("let through")
		}
		if f := here.Within(t.Context(), list[0], time.Minute); f != zoneIs {
			t.Errorf("Present sees %+v", f)
		}
		if n := dns.count(); n > len(list)+1 {
			t.Errorf("%d looks at owners' records", n)
		}
		zoneIs = check.Finding{Status: check.Unknown}
		if f, ok := here.All(t.Context(), list); !ok || !here.Fresh(t.Context(), list) {
			t.Errorf("when it cannot be told any more: All = %+v, %v", f, ok)
		}
	})
}
