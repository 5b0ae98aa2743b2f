package solver

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// cert-manager cannot write the status of a Challenge that is changed while it is
// presented. Of two replicas one nudges.
func TestWatcherLeavesAloneWhatIsPresented(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, err := zone.New("acme.example.com")
		if err != nil {
			t.Fatal(err)
		}
		var presenting atomic.Bool
		presenting.Store(true)
		c := challenge()
		c.Reason, c.Processing = "not all secondaries answer", true
		f := &fakeChallenges{watched: []cluster.Challenge{c}}
		there := func(context.Context, string, string) check.Finding { return check.Finding{Status: check.OK} }
		ctx, cancel := context.WithCancel(t.Context())
		for replica := range 2 {
			w := &Watcher{Challenges: f, Store: store.NewMemory(), Zone: z, LookUp: there, Presented: f.presented, Log: slog.New(slog.DiscardHandler),
				Presenting: func(_ context.Context, asked cluster.Challenge) bool { return presenting.Load() && asked.UID == c.UID },
				Mine:       func(key string) bool { return key == string(c.UID) && replica == 1 }}
			go w.Run(ctx)
		}
		nudges := func() int { synctest.Wait(); f.mu.Lock(); defer f.mu.Unlock(); return f.nudges }
		time.Sleep(time.Minute)
		if n := nudges(); n != 0 {
			t.Errorf("%d nudges while it is presented", n)
		}
		presenting.Store(false)
		time.Sleep(10 * time.Second)
		if n := nudges(); n != 1 {
			t.Errorf("%d nudges after that", n)
		}
		cancel()
		synctest.Wait()
	})
}
