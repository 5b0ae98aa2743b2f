package solver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
	"github.com/google/uuid"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/zone"
)

// broken is a store that takes nothing.
type broken struct{ *store.Memory }

func (broken) Add(context.Context, uuid.UUID, string) error    { return errors.New("full") }
func (broken) Remove(context.Context, uuid.UUID, string) error { return errors.New("full") }

// One identifier finds every line about a challenge, whichever replica wrote it
// errors included, and no line of another; no line has its value.
func TestTrace(t *testing.T) {
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	result := check.Finding{}
	lookUp := func(context.Context, string, string) check.Finding { return result }
	serves := func(context.Context, string, string, string) (bool, error) { return true, nil }
	store := store.NewMemory()
	_ = store.Announce(t.Context(), "192.0.2.1:53")
	c := challenge()
	req := &whapi.ChallengeRequest{ResourceNamespace: c.Scope, DNSName: c.Domain, Key: c.Key}
	f := &fakeChallenges{here: true}

	for _, s := range []Store{store, broken{store}} { // two replicas
		solver := New(z, s, serves, lookUp, log)
		_, _ = solver.Present(req), solver.CleanUp(req)
		w := &Watcher{Challenges: f, Store: s, Zone: z, LookUp: lookUp, Presented: f.presented, Log: log}
		w.restore(t.Context(), []cluster.Challenge{c})
		w.look(t.Context(), c, &waiting{})
	}
	result = check.Finding{Status: check.Failed, Hint: "add it"}
	_ = New(z, store, serves, lookUp, log).Present(req)
	req.ResolvedFQDN = "elsewhere.example.net."
	_ = New(z, store, serves, lookUp, log).Present(req)

	id := "challenge=" + traceID(c.Scope, c.Domain, c.Key)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 8 {
		t.Errorf("only %d lines", len(lines))
	}
	for _, line := range lines {
		if strings.Count(line, "challenge=") != 1 || !strings.Contains(line, id) {
			t.Errorf("no %s in %s", id, line)
		}
		if strings.Contains(line, "="+c.Key) {
			t.Errorf("the value is in %s", line)
		}
	}
	if traceID(c.Scope, c.Domain, "another") == traceID(c.Scope, c.Domain, c.Key) {
		t.Error("two challenges have the same identifier")
	}
}
