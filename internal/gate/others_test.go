package gate

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

var another = check.Finding{Check: "cname-other-scope", Subject: "_acme-challenge.example.com", Status: check.Failed, Hint: "Change it."}

// What is seen of a name that another solver validates lets its Order through, but for
// a record that is for another scope; and never one that needs the record itself.
func TestOthers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		says   check.Finding
		passes bool
	}{
		{"its owner's record for this scope", there, true},
		{"no record", missing, true},
		{"no answer", silent, true},
		{"a record for another scope", another, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dns, shared := &fakeDNS{}, &fakeShared{}
				dns.say(tc.says)
				here, other := NewOthers(dns.look, always, shared), NewOthers(dns.look, always, shared)
				on := []zone.Target{target(t, "web", "example.com")}
				if here.Fresh(t.Context(), on) {
					t.Error("let through before anybody has looked")
				}
				f, ok := here.All(t.Context(), on)
				if ok != tc.passes || here.Fresh(t.Context(), on) != tc.passes || other.Fresh(t.Context(), on) != tc.passes {
					t.Errorf("found %+v, which passes: %v", f, ok)
				}
				if !tc.passes && (!strings.Contains(f.Hint, "another solver may not hold the name") || strings.Contains(f.Hint, "CNAME to")) {
					t.Errorf("the hint is %q", f.Hint)
				}
				if NewLooks(dns.look, always, shared).Fresh(t.Context(), on) {
					t.Error("it counts as the owner's record")
				}
			})
		})
	}
}

// The Order of another solver is decided on like the others: at once, with a text that
// does not change, and its request is looked at as soon as it is seen.
func TestOthersAreReviewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns, shared := &fakeDNS{}, &fakeShared{}
		dns.say(another)
		c := newFakeCluster()
		others := []zone.Target{target(t, "web", "example.com")}
		c.wanted = func(*acmev1.Order) cluster.Wanted { return cluster.Wanted{Others: others} }
		looks := NewLooks(dns.look, always, shared)
		w := NewWatcher(c, looks, func(string) bool { return true }, discard)
		w.Others = NewOthers(dns.look, always, shared)
		g := New(c, looks, certManager, discard)
		g.Others = w.Others
		review := func() (bool, string) {
			return g.Review(t.Context(), admission(t, "CREATE", nil, orderFor("dead", "example.com")))
		}
		_, before := review()
		c.requests = []cluster.Request{{Wanted: cluster.Wanted{Others: others}, Namespace: "web", Name: "held-1", UID: "1", Denied: true, Since: time.Now()}}
		go w.Run(t.Context())
		time.Sleep(time.Second)
		if allowed, text := review(); allowed || text != before || !strings.Contains(text, "another solver") {
			t.Errorf("allowed %v: %q, before the look: %q", allowed, text, before)
		}
		c.mu.Lock()
		told := slices.Clone(c.told)
		c.mu.Unlock()
		if len(told) != 1 || !strings.HasPrefix(told[0], "NameOfAnotherNamespace: ") {
			t.Errorf("events: %q", told)
		}
		dns.say(missing) // its owner has taken the record away
		time.Sleep(3 * time.Second)
		if allowed, text := review(); !allowed || c.nudged() == 0 {
			t.Errorf("allowed %v: %q; %d nudges", allowed, text, c.nudged())
		}
	})
}
