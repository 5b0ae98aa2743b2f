package solver

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// heldStore holds Add up until it is let go, whatever the caller's deadline, as a
// network does that delivers a command late.
type heldStore struct {
	*store.Memory
	mu   sync.Mutex
	adds []chan struct{} // one for each Add; none left: at once
	err  error           // of Add, although it took effect
}

func (s *heldStore) Add(ctx context.Context, id uuid.UUID, value string) error {
	s.mu.Lock()
	var held chan struct{}
	if len(s.adds) > 0 {
		held, s.adds = s.adds[0], s.adds[1:]
	}
	s.mu.Unlock()
	if held != nil {
		<-held
	}
	if err := s.Memory.Add(ctx, id, value); err != nil {
		return err
	}
	return s.err
}

// A Present that is late leaves nothing behind that CleanUp does not remove any more.
func TestPresentAfterCleanUp(t *testing.T) {
	for name, tc := range map[string]struct {
		lookTakes time.Duration
		holdAdd   bool
		addErr    error
		again     bool // cert-manager presents it once more after CleanUp
		cleanUp   time.Duration
		want      []string
		wantErr   error
	}{
		"the caller is gone before it is added":     {lookTakes: 25 * time.Second, cleanUp: 24 * time.Second, wantErr: errCleanedUp},
		"nobody waits any more":                     {lookTakes: 25 * time.Second, wantErr: errLate},
		"CleanUp comes during the look":             {lookTakes: 3 * time.Second, cleanUp: time.Second, wantErr: errCleanedUp},
		"CleanUp comes before the value arrives":    {holdAdd: true, cleanUp: time.Second, wantErr: errCleanedUp},
		"so, and it is not known whether it has":    {holdAdd: true, addErr: errors.New("timeout"), cleanUp: time.Second, wantErr: errCleanedUp},
		"presented again before the first is there": {holdAdd: true, cleanUp: time.Second, again: true, want: []string{"value"}, wantErr: errCleanedUp},
		"no CleanUp": {want: []string{"value"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				z, err := zone.New("acme.example.com")
				if err != nil {
					t.Fatal(err)
				}
				st := &heldStore{Memory: store.NewMemory(), err: tc.addErr}
				held := make(chan struct{})
				if tc.holdAdd {
					st.adds = []chan struct{}{held}
				}
				lookUp := func(context.Context, string, string) check.Finding {
					time.Sleep(tc.lookTakes)
					return check.Finding{}
				}
				serves := func(context.Context, string, string, string) (bool, error) { return true, nil }
				s := New(z, st, serves, lookUp, slog.New(slog.DiscardHandler))
				go func() {
					for range 40 {
						_ = st.Announce(context.Background(), "192.0.2.1:53")
						time.Sleep(time.Second)
					}
				}()
				req := &whapi.ChallengeRequest{ResourceNamespace: "cert-manager", DNSName: "example.com", Key: "value"}
				done := make(chan error, 1)
				go func() { done <- s.Present(req) }()
				if tc.cleanUp > 0 {
					time.Sleep(tc.cleanUp)
					if err := s.CleanUp(req); err != nil {
						t.Error(err)
					}
				}
				if tc.again {
					if err := s.Present(req); err != nil {
						t.Error(err)
					}
				}
				close(held)
				if err := <-done; !errors.Is(err, tc.wantErr) || err != nil && tc.wantErr == nil {
					t.Errorf("Present = %v, want %v", err, tc.wantErr)
				}
				target, err := z.Target("cert-manager", "example.com")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := st.Values(t.Context(), target.ID); err != nil || !slices.Equal(got, tc.want) {
					t.Errorf("the store has %q, %v, want %q", got, err, tc.want)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}
