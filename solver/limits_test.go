package solver_test

import (
	"errors"
	"fmt"
	"testing"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// A challenge that nobody should have made is refused with a reason that stays
// the same, harms no other, and can be cleaned up.
func TestLimits(t *testing.T) {
	w, servers := newWorld(t, 1)
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	id, _ := zone.ParseID(clusterTarget[:36])
	for i := range store.MaxValues - 1 {
		if err := w.store.Add(t.Context(), id, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	more := request(func(r *whapi.ChallengeRequest) { r.Key = "more" })
	one, two := w.solver.Present(more), w.solver.Present(more)
	if !errors.Is(one, store.ErrLimit) || one.Error() != two.Error() {
		t.Errorf("Present = %v, then %v", one, two)
	}
	serves(t, servers, clusterTarget, key, true)
	serves(t, servers, clusterTarget, "more", false)
	if err := w.solver.CleanUp(more); err != nil {
		t.Errorf("CleanUp = %v", err)
	}
}
