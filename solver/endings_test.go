package solver

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// TestEndings: the first of a domain is at once, the same Challenge may be tried
// again, and the next wait, longer each time.
func TestEndings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e endings
		for i, step := range []struct {
			after  time.Duration
			domain string
			uid    types.UID
			want   bool
		}{
			{0, "a", "1", true},
			{time.Second, "a", "1", true},
			{time.Second, "a", "2", false},
			{0, "b", "3", true},
			{10 * time.Minute, "a", "2", true},
			{15 * time.Minute, "a", "4", false},
			{5 * time.Minute, "a", "4", true},
			{maxEndGap + 2*time.Hour, "a", "5", true}, // forgotten
			{0, "a", "6", false},
		} {
			time.Sleep(step.after)
			if got := e.may(step.domain, step.uid); got != step.want {
				t.Errorf("step %d: %v", i, got)
			}
		}
		for i := range 1000 {
			e.may(fmt.Sprint(i), "1")
		}
		time.Sleep(3 * maxEndGap)
		if e.may("last", "1"); len(e.what) != 1 {
			t.Errorf("%d endings are remembered", len(e.what))
		}
	})
}

// Where the API server does not ask the gate, each Order that ends is followed by
// another at once. The CA must not get one every two seconds.
func TestEndingsWithoutAGate(t *testing.T) {
	f := &fakeChallenges{}
	orders := map[types.UID]bool{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		missing := func(context.Context, string, string) check.Finding {
			return check.Finding{Status: check.Failed, Hint: "Add it."}
		}
		w := &Watcher{Challenges: f, Store: store.NewMemory(), Zone: z, LookUp: missing, Presented: f.presented, Gate: true, Log: slog.New(slog.DiscardHandler)}
		next := func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.ended > 0 || len(orders) == 0 {
				f.ended = 0
				c := challenge()
				c.UID, c.Reason, c.Processing = types.UID(fmt.Sprint("uid-", len(orders))), "Add it.", true
				orders[c.UID] = true
				f.watched = []cluster.Challenge{c}
			}
		}
		next()
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		for range 24 * 60 * 12 {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			next()
		}
		cancel()
		<-done
	})
	if len(orders) < 3 || len(orders) > 15 {
		t.Errorf("%d Orders in a day for a domain without a record", len(orders))
	}
}

// TestWatcherWithGate: a Challenge that cannot succeed gives its place back, one of
// which nothing is known does so after a while, and one that waits behind another
// is told which.
func TestWatcherWithGate(t *testing.T) {
	waiting := func(change func(*cluster.Challenge)) func() cluster.Challenge {
		return func() cluster.Challenge {
			c := challenge()
			c.Reason, c.Processing = "Add it.", true
			change(&c)
			return c
		}
	}
	same := func(*cluster.Challenge) {}
	for name, tc := range map[string]struct {
		challenge     func() cluster.Challenge
		says          check.Status
		after         time.Duration
		ended, nudges bool
		told          string
	}{
		"missing":                     {waiting(same), check.Failed, 3 * time.Second, true, false, "hint"},
		"no answer":                   {waiting(same), check.Unknown, 9 * time.Minute, false, false, ""},
		"no answer for ten minutes":   {waiting(same), check.Unknown, 11 * time.Minute, true, false, ""},
		"there":                       {waiting(same), check.OK, 3 * time.Second, false, true, ""},
		"there, but stuck":            {waiting(same), check.Warning, 11 * time.Minute, true, true, ""},
		"presented":                   {waiting(func(c *cluster.Challenge) { c.Presented = true }), check.Failed, 11 * time.Minute, false, false, ""},
		"just made":                   {waiting(func(c *cluster.Challenge) { c.Reason = "" }), check.Failed, 11 * time.Minute, false, false, ""},
		"behind another":              {waiting(func(c *cluster.Challenge) { c.Reason, c.Processing, c.State = "", false, "" }), check.Failed, 20 * time.Second, false, false, "cert-manager works on one challenge for example.com at a time, and that is other/holder now; if that does not end, delete its Certificate or CertificateRequest"},
		"behind another for a moment": {waiting(func(c *cluster.Challenge) { c.Reason, c.Processing, c.State = "", false, "" }), check.Failed, 5 * time.Second, false, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeChallenges{holder: "other/holder", watched: []cluster.Challenge{tc.challenge()}}
				z, err := zone.New("acme.example.com")
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				lookUp := func(context.Context, string, string) check.Finding {
					return check.Finding{Status: tc.says, Hint: "hint"}
				}
				w := &Watcher{Challenges: f, Store: store.NewMemory(), Zone: z, LookUp: lookUp, Presented: f.presented, Gate: true, Log: slog.New(slog.DiscardHandler)}
				done := make(chan struct{})
				go func() { w.Run(ctx); close(done) }()
				time.Sleep(tc.after)
				cancel()
				<-done
				told := ""
				if len(f.told) > 0 {
					told = f.told[0]
				}
				if f.ended > 0 != tc.ended || f.nudges > 0 != tc.nudges || told != tc.told || len(f.told) > 1 {
					t.Errorf("ended %d, nudged %d, told %q", f.ended, f.nudges, f.told)
				}
			})
		})
	}
}
