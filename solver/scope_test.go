package solver_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// With strict namespaces a challenge under a ClusterIssuer goes to the target of
// its own namespace, and to none where that is not certain.
func TestStrict(t *testing.T) {
	w, servers := newWorld(t, 2)
	var (
		known []cluster.Challenge
		fails error
	)
	w.solver.Strict("cert-manager", func(_ context.Context, domain, k string) ([]cluster.Challenge, error) {
		if domain != "example.com" || k != key {
			t.Errorf("asked for %q, %q", domain, k)
		}
		return known, fails
	})
	of := func(scope string, ended bool) cluster.Challenge {
		return cluster.Challenge{Namespace: scope, Scope: scope, Domain: "example.com", Key: key, Ended: ended}
	}
	refused := func(why string) {
		t.Helper()
		if err := w.solver.Present(request()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("Present says %v, want %q", err, why)
		}
		serves(t, servers, teamTarget, key, false)
		serves(t, servers, clusterTarget, key, false)
	}
	refused("no Challenge of the cluster has this domain and key")
	fails = errors.New("forbidden")
	refused("cannot read the Challenges of the cluster")
	fails, known = nil, []cluster.Challenge{of("team-a", false), of("team-b", false)}
	refused(`Challenges in more than one namespace have this key`)

	// Of two with one key the one that cert-manager works on is meant.
	worked := of("team-a", false)
	worked.Processing = true
	known = []cluster.Challenge{worked, of("team-b", false)}
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	serves(t, servers, teamTarget, key, true)
	serves(t, servers, clusterTarget, key, false)

	// Somebody's forgery is cleaned up: the record of the real one stays.
	known = []cluster.Challenge{of("team-a", false), of("team-b", true)}
	if err := w.solver.CleanUp(request()); err != nil {
		t.Fatal(err)
	}
	serves(t, servers, teamTarget, key, true)
	known = []cluster.Challenge{of("team-a", true)}
	if err := w.solver.CleanUp(request()); err != nil {
		t.Fatal(err)
	}
	serves(t, servers, teamTarget, key, false)

	// The Challenge was deleted by force: this replica remembers where the record is.
	known = []cluster.Challenge{of("team-a", false)}
	if err := w.solver.Present(request()); err != nil {
		t.Fatal(err)
	}
	known = nil
	if err := w.solver.CleanUp(request()); err != nil {
		t.Fatal(err)
	}
	serves(t, servers, teamTarget, key, false)
	if err := w.solver.CleanUp(request()); err != nil {
		t.Error("what is not there cannot be cleaned up:", err)
	}

	// What the CNAME permits cannot be switched off.
	known = []cluster.Challenge{of("team-a", false)}
	unchecked := request(func(r *whapi.ChallengeRequest) {
		r.Config = &apiextensionsv1.JSON{Raw: []byte(`{"checkCNAME": false}`)}
	})
	if err := w.solver.Present(unchecked); err == nil || !strings.Contains(err.Error(), "cannot be used with strict namespaces") {
		t.Errorf("checkCNAME: false is taken: %v", err)
	}

	// An Issuer's own namespace is its scope, as ever.
	if err := w.solver.Present(request(func(r *whapi.ChallengeRequest) { r.ResourceNamespace = "team-a" })); err != nil {
		t.Fatal(err)
	}
	serves(t, servers, teamTarget, key, true)
}
