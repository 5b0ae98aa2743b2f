package solver_test

import (
	"testing"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/signpost-acme/signpost/internal/check"
)

// What the owner of a domain has to change is no failure of ours.
func TestResults(t *testing.T) {
	w, _ := newWorld(t, 1)
	must := func(want string, call func() error) {
		t.Helper()
		before := calls(t, w)
		_ = call()
		for key, n := range calls(t, w) {
			if grown := n - before[key]; (key == want) != (grown == 1) {
				t.Errorf("%s has grown by %d, want one more of %s alone", key, grown, want)
			}
		}
	}
	must("present success", func() error { return w.solver.Present(request()) })
	must("present refused", func() error {
		return w.solver.Present(request(func(r *whapi.ChallengeRequest) { r.ResolvedFQDN = "elsewhere.example.com." }))
	})
	w.cname = check.Finding{Status: check.Failed, Hint: "add the record"}
	must("present refused", func() error { return w.solver.Present(request()) })
	w.cname = check.Finding{}
	must("cleanup success", func() error { return w.solver.CleanUp(request()) })
	w.redis.Kill()
	must("present error", func() error { return w.solver.Present(request()) })
	must("cleanup error", func() error { return w.solver.CleanUp(request()) })
}

// calls returns how many there were, by action and result.
func calls(t *testing.T, w *world) map[string]uint64 {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(w.solver)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.Metric {
			label := func(name string) string {
				for _, l := range m.Label {
					if l.GetName() == name {
						return l.GetValue()
					}
				}
				return ""
			}
			counts[label("action")+" "+label("result")] = m.GetHistogram().GetSampleCount()
		}
	}
	return counts
}
