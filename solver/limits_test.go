package solver_test

import (
	"errors"
	"strings"
	"testing"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	"github.com/signpost-acme/signpost/internal/records"
)

// A challenge that nobody should have made is refused with a reason that stays
// the same, harms no other, and can be cleaned up.
func TestLimits(t *testing.T) {
	w, servers := newWorld(t, 1)
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	large := request(func(r *whapi.ChallengeRequest) { r.Key = strings.Repeat("x", records.MaxValueSize+1) })
	one, two := w.solver.Present(large), w.solver.Present(large)
	if !errors.Is(one, records.ErrLimit) || one.Error() != two.Error() {
		t.Errorf("Present = %v, then %v", one, two)
	}
	serves(t, servers, clusterTarget, key, true)
	if err := w.solver.CleanUp(large); err != nil {
		t.Errorf("CleanUp = %v", err)
	}
}
