package secondaries

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/redistest"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

// presenting is a solver before a primary, with secondaries.
func presenting(t *testing.T, p *primary, port int, secondaries ...string) (*solver.Solver, *zone.Zone) {
	t.Helper()
	z, err := zone.New(origin)
	must(t, err)
	list, err := z.Secondaries(secondaries)
	must(t, err)
	fine := func(context.Context, string, string) check.Finding { return check.Finding{} }
	s := solver.New(z, p, solver.DNSServes, fine, slog.New(slog.DiscardHandler))
	s.Secondaries(list, solver.SecondaryServes)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil {
			_ = p.Announce(ctx, fmt.Sprintf("127.0.0.1:%d", port))
			time.Sleep(store.HeartbeatInterval)
		}
	}()
	return s, z
}

func challenge(i int) *whapi.ChallengeRequest {
	return &whapi.ChallengeRequest{ResourceNamespace: "team-a", DNSName: fmt.Sprintf("d%d.example.net", i), Key: fmt.Sprintf("LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_%05d", i)}
}

// A thousand challenges through NSD and Knot: when Present has returned, both answer with
// the value, over UDP and TCP, at once.
func TestThousandChallengesNoneTooEarly(t *testing.T) {
	const total, atOnce = 1000, 10
	port := freePort(t)
	one, two := startSecondary(t, kinds["nsd"], port), startSecondary(t, kinds["knot"], port)
	settings := []string{"ns1.example.net=" + one.address() + ",key=transfer", "ns2.example.net=" + two.address() + ",key=transfer"}
	p := startPrimary(t, redistest.Start(t), port, newKeys(docSecret), settings...)
	s, z := presenting(t, p, port, settings...)
	for _, secondary := range []*secondary{one, two} {
		eventually(t, 30*time.Second, "the secondary has the zone", func() bool { return soa(secondary.address()) != 0 })
	}
	var next, failed atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= total; i = int(next.Add(1)) {
				req := challenge(i)
				begin := time.Now()
				if err := s.Present(req); err != nil {
					t.Errorf("challenge %d: %v", i, err)
					continue
				}
				mu.Lock()
				took = append(took, time.Since(begin))
				mu.Unlock()
				target, _ := z.Target(req.ResourceNamespace, req.DNSName)
				for _, secondary := range []*secondary{one, two} {
					ok, err := solver.SecondaryServes(t.Context(), secondary.address(), target.Name, req.Key)
					for try := 0; err != nil && try < 3; try++ { // a resolver asks again: NSD resets connections when it reloads
						failed.Add(1)
						time.Sleep(10 * time.Millisecond) // later, as resolvers do: one reload can reset several tries in a row
						ok, err = solver.SecondaryServes(t.Context(), secondary.address(), target.Name, req.Key)
					}
					if !ok || err != nil {
						t.Errorf("challenge %d was presented too early for %s: %v, %v", i, secondary.Heading, ok, err)
					}
				}
				if err := s.CleanUp(req); err != nil {
					t.Errorf("challenge %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	t.Logf("Present through NSD and Knot, %d at a time: median %v, 99th percentile %v, slowest %v; %d questions had to be repeated", atOnce, took[len(took)/2], took[len(took)*99/100], took[len(took)-1], failed.Load())
}

// A secondary that is stopped is named by Present; when it is back, or is taken out of
// the settings, Present goes on.
func TestSecondaryStopsAndComesBack(t *testing.T) {
	port := freePort(t)
	one, two := startSecondary(t, kinds["nsd"], port), startSecondary(t, kinds["bind"], port)
	settings := []string{"ns1.example.net=" + one.address() + ",key=transfer", "ns2.example.net=" + two.address() + ",key=transfer"}
	p := startPrimary(t, redistest.Start(t), port, newKeys(docSecret), settings...)
	s, _ := presenting(t, p, port, settings...)
	must(t, s.Present(challenge(1)))
	two.stop()
	err := s.Present(challenge(2))
	if err == nil || !strings.HasSuffix(err.Error(), ": ns2.example.net ("+two.address()+")") {
		t.Errorf("one is stopped: %v", err)
	}
	without, _ := presenting(t, p, port, settings[0])
	must(t, without.Present(challenge(2)))
	two.start()
	must(t, s.Present(challenge(2)))
}
