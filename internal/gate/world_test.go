package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

var (
	there   = check.Finding{Check: "cname", Status: check.OK}
	missing = check.Finding{Check: "cname-missing", Status: check.Failed, Hint: "Add it."}
	silent  = check.Finding{Check: "cname-unknown", Status: check.Unknown, Hint: "Make it answer."}

	discard = slog.New(slog.DiscardHandler)
)

func target(t *testing.T, scope, domain string) zone.Target {
	t.Helper()
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	target, err := z.Target(scope, domain)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func targets(t *testing.T, n int) (list []zone.Target) {
	t.Helper()
	for i := range n {
		list = append(list, target(t, "web", fmt.Sprintf("n%03d.example.com", i)))
	}
	return list
}

// fakeDNS is what looks see.
type fakeDNS struct {
	mu    sync.Mutex
	says  func(domain string) check.Finding // there if nil
	takes time.Duration
	looks []string // domains, in the order of the looks' beginnings
	now   int      // looks under way
	most  int      // at once, so far
}

func (f *fakeDNS) look(ctx context.Context, _, domain string) check.Finding {
	f.mu.Lock()
	f.looks = append(f.looks, domain)
	f.now++
	f.most = max(f.most, f.now)
	says, takes := f.says, f.takes
	f.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	switch {
	case ctx.Err() != nil:
		return silent
	case says != nil:
		return says(domain)
	}
	return there
}

func (f *fakeDNS) say(finding check.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = func(string) check.Finding { return finding }
}

func (f *fakeDNS) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.looks)
}

// fakeShared is a store that all replicas of a test share.
type fakeShared struct {
	mu      sync.Mutex
	vouched map[uuid.UUID]time.Time
	fails   bool
	hangs   bool
	asked   int
}

func (f *fakeShared) begin(ctx context.Context) error {
	f.mu.Lock()
	f.asked++
	fails, hangs := f.fails, f.hangs
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if fails {
		return errors.New("no store")
	}
	return nil
}

func (f *fakeShared) Vouch(ctx context.Context, id uuid.UUID, lifetime time.Duration) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.vouched == nil {
		f.vouched = map[uuid.UUID]time.Time{}
	}
	f.vouched[id] = time.Now().Add(lifetime)
	return nil
}

func (f *fakeShared) Vouched(ctx context.Context, ids []uuid.UUID) ([]bool, error) {
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]bool, len(ids))
	for i, id := range ids {
		out[i] = time.Now().Before(f.vouched[id])
	}
	return out, nil
}

// fakeCluster is both what reviews and what the watcher need.
type fakeCluster struct {
	mu       sync.Mutex
	wanted   func(o *acmev1.Order) cluster.Wanted
	requests []cluster.Request
	issuing  []cluster.Wanted
	changed  chan struct{}
	nudges   []nudge
	told     []string // kind: message
	telling  error
	onNudge  func(r cluster.Request) // with the lock held
}

type nudge struct {
	name string
	at   time.Time
}

func newFakeCluster() *fakeCluster { return &fakeCluster{changed: make(chan struct{}, 1)} }

func (f *fakeCluster) Order(o *acmev1.Order) cluster.Wanted { return f.wanted(o) }

func (f *fakeCluster) Requests() []cluster.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fakeCluster) Issuing() []cluster.Wanted {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.issuing)
}

func (f *fakeCluster) Changed() <-chan struct{} { return f.changed }

func (f *fakeCluster) NudgeRequest(_ context.Context, r cluster.Request) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nudges = append(f.nudges, nudge{r.Name, time.Now()})
	if f.onNudge != nil {
		f.onNudge(r)
	}
	return nil
}

func (f *fakeCluster) TellRequest(_ context.Context, _ cluster.Request, reason, message string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.telling != nil {
		return f.telling
	}
	f.told = append(f.told, reason+": "+message)
	return nil
}

// set changes the requests, as the watch would tell.
func (f *fakeCluster) set(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *fakeCluster) nudged() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.nudges)
}
