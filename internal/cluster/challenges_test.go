package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
)

func challenge(namespace, name, domain string, change func(*acmev1.Challenge)) *acmev1.Challenge {
	c := &acmev1.Challenge{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name)},
		Spec:       acmev1.ChallengeSpec{Type: "DNS-01", DNSName: domain, Key: "key", Solver: ours("")},
	}
	c.Spec.IssuerRef.Kind = "ClusterIssuer"
	if change != nil {
		change(c)
	}
	return c
}

// TestEndOrder: the Order that a request controls is deleted, and no other.
func TestEndOrder(t *testing.T) {
	owned := func(name, kind string, controller bool) *acmev1.Order {
		o := order("web", "ClusterIssuer", "c", "example.com")
		o.Name, o.UID = name, types.UID("uid-"+name)
		if kind != "" {
			o.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "r", Controller: &controller}}
		}
		return o
	}
	deleted := owned("deleted", cmv1.CertificateRequestKind, true)
	now := metav1.Now()
	deleted.DeletionTimestamp, deleted.Finalizers = &now, []string{"x"}
	undecided := owned("undecided", cmv1.CertificateRequestKind, true) // its name goes to HTTP-01, so the gate would let the next one through too
	undecided.Spec.IssuerRef.Name = "http"
	w := newWorld(t, nil, clusterIssuer("c", uriA, ours("")), clusterIssuer("http", uriB, http01()), undecided, owned("request", cmv1.CertificateRequestKind, true), owned("signing", "CertificateSigningRequest", true),
		owned("owned", cmv1.CertificateRequestKind, false), owned("by-hand", "", false), owned("by-pod", "Pod", true), deleted)
	ctx := context.Background()
	for name, want := range map[string]bool{"request": true, "signing": true, "owned": false, "by-hand": false, "by-pod": false, "deleted": false, "undecided": false, "gone": false, "": false} {
		ended, err := w.EndOrder(ctx, Challenge{Namespace: "web", Domain: "example.com", order: name})
		if err != nil || ended != want {
			t.Errorf("%q: %v, %v", name, ended, err)
		}
		_, err = w.cm.AcmeV1().Orders("web").Get(ctx, name, metav1.GetOptions{})
		if there := err == nil; name != "" && name != "gone" && there == want {
			t.Errorf("%q is there: %v", name, there)
		}
	}
	var preconditions int
	for _, a := range w.cm.Actions() {
		if d, ok := a.(clienttesting.DeleteActionImpl); ok && d.DeleteOptions.Preconditions != nil && d.DeleteOptions.Preconditions.UID != nil {
			preconditions++
		}
	}
	if preconditions != 2 {
		t.Errorf("%d deletions name the UID, so that not another of the same name is deleted", preconditions)
	}
	w.cm.PrependReactor("get", "orders", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no") })
	if ended, err := w.EndOrder(ctx, Challenge{Namespace: "web", order: "by-pod"}); err == nil || ended {
		t.Errorf("an error of the API server: %v, %v", ended, err)
	}
}

// TestHolder: cert-manager works on one challenge per name and type at a time.
func TestHolder(t *testing.T) {
	processing := func(c *acmev1.Challenge) { c.Status.Processing = true }
	w := newWorld(t, nil,
		challenge("b", "holder", "Example.com.", func(c *acmev1.Challenge) { processing(c); c.Spec.Solver = otherDNS() }),
		challenge("b", "http", "http.example.com", func(c *acmev1.Challenge) { processing(c); c.Spec.Type = "HTTP-01" }),
		challenge("b", "idle", "idle.example.com", nil))
	for _, tc := range []struct {
		c    Challenge
		want string
	}{
		{Challenge{UID: "1", Domain: "example.com"}, "b/holder"},
		{Challenge{UID: "1", Domain: "example.com", Processing: true}, ""},
		{Challenge{UID: "b/holder", Domain: "example.com"}, ""},
		{Challenge{UID: "1", Domain: "http.example.com"}, ""},
		{Challenge{UID: "1", Domain: "idle.example.com"}, ""},
		{Challenge{UID: "1", Domain: "other.example.com"}, ""},
	} {
		if got := w.Holder(tc.c); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.c, got, tc.want)
		}
	}
}

// TestChallenges: which are ours, whose they are, and which hold a place in the
// queue without having been presented.
func TestChallenges(t *testing.T) {
	objects := []runtime.Object{
		challenge("web", "waiting", "example.com", func(c *acmev1.Challenge) {
			c.Status = acmev1.ChallengeStatus{Processing: true, Reason: "Add it."}
		}),
		challenge("web", "presented", "a.example.com", func(c *acmev1.Challenge) {
			c.Status = acmev1.ChallengeStatus{Processing: true, Reason: "Waiting for DNS-01 challenge propagation", Presented: true}
		}),
		challenge("web", "issuer", "b.example.com", func(c *acmev1.Challenge) { c.Spec.IssuerRef.Kind = "" }),
		challenge("web", "valid", "c.example.com", func(c *acmev1.Challenge) { c.Status.State = acmev1.Valid }),
		challenge("web", "other", "d.example.com", func(c *acmev1.Challenge) { c.Spec.Solver = otherDNS() }),
		challenge("web", "http", "e.example.com", func(c *acmev1.Challenge) { c.Spec.Type = "HTTP-01" }),
	}
	for strict, want := range map[bool]map[string]string{
		false: {"waiting": "cert-manager", "presented": "cert-manager", "issuer": "web"},
		true:  {"waiting": "web", "presented": "web", "issuer": "web"},
	} {
		w := newWorld(t, func(c *Config) { c.Strict = strict }, objects...)
		got := w.Challenges()
		for _, c := range got {
			if c.Scope != want[c.Name] {
				t.Errorf("strict %v: %+v", strict, c)
			}
		}
		if len(got) != len(want) || w.WaitingChallenges() != 1 {
			t.Errorf("strict %v: %d challenges, %d waiting", strict, len(got), w.WaitingChallenges())
		}
	}
}

// TestFind: by domain and key, in all namespaces; asked of the API server if the
// watch has none, and an error is not "none".
func TestFind(t *testing.T) {
	w := newWorld(t, nil, challenge("web", "a", "example.com", nil), challenge("thief", "b", "example.com", nil), challenge("web", "c", "other.example.com", nil))
	ctx := context.Background()
	if got, err := w.Find(ctx, "example.com", "key"); err != nil || len(got) != 2 {
		t.Errorf("Find = %+v, %v", got, err)
	}
	if got, err := w.Find(ctx, "example.com", "another key"); err != nil || len(got) != 0 {
		t.Errorf("Find = %+v, %v", got, err)
	}
	late := notRead(t, nil, challenge("web", "a", "example.com", nil))
	if got, err := late.Find(ctx, "example.com", "key"); err != nil || len(got) != 1 {
		t.Errorf("Find before the watch = %+v, %v", got, err)
	}
	late.cm.PrependReactor("list", "challenges", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("no")
	})
	if _, err := late.Find(ctx, "example.com", "key"); err == nil {
		t.Error("an error of the API server is no error")
	}
}

// TestCurrent: one that is gone, or was made again, has ended.
func TestCurrent(t *testing.T) {
	w := newWorld(t, nil, challenge("web", "a", "example.com", nil))
	for _, tc := range []struct {
		c     Challenge
		ended bool
	}{{Challenge{Namespace: "web", Name: "a", UID: "web/a"}, false}, {Challenge{Namespace: "web", Name: "a", UID: "other"}, true}, {Challenge{Namespace: "web", Name: "gone"}, true}} {
		if got, err := w.Current(context.Background(), tc.c); err != nil || got.Ended != tc.ended {
			t.Errorf("Current(%+v) = %+v, %v", tc.c, got, err)
		}
	}
}

// An event about a Challenge reaches its Certificate by way of its Order.
func TestTell(t *testing.T) {
	o := order("web", "ClusterIssuer", "c", "example.com")
	o.Annotations = map[string]string{cmv1.CertificateNameKey: "cert"}
	w := newWorld(t, nil, o, &cmv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "cert"}})
	ctx := context.Background()
	for order, want := range map[string]int{"o": 2, "gone": 1, "": 1} {
		before, _ := w.kube.CoreV1().Events("web").List(ctx, metav1.ListOptions{})
		if err := w.Tell(ctx, Challenge{Namespace: "web", Name: "c", UID: types.UID("uid" + order), order: order}, "CNAMENeeded", "Add it."); err != nil {
			t.Error(err)
		}
		after, _ := w.kube.CoreV1().Events("web").List(ctx, metav1.ListOptions{})
		if got := meta.LenList(after) - meta.LenList(before); got != want {
			t.Errorf("order %q: %d events, want %d", order, got, want)
		}
	}
}

// Every place that is taken in cert-manager's queue counts, whoever takes it.
func TestProcessingChallenges(t *testing.T) {
	works := func(c *acmev1.Challenge) { c.Status.Processing = true }
	w := newWorld(t, nil,
		challenge("web", "ours", "a.example.com", works),
		challenge("web", "done", "b.example.com", nil),
		challenge("web", "theirs", "c.example.com", func(c *acmev1.Challenge) {
			works(c)
			c.Spec.Type, c.Spec.Solver = "HTTP-01", http01()
		}))
	if n := w.ProcessingChallenges(); n != 2 {
		t.Errorf("%d places are taken", n)
	}
}

// Whoever asks is told of every Challenge of ours, from its creation to its deletion,
// and of nobody else's.
func TestOnChallenge(t *testing.T) {
	var mu sync.Mutex
	var told []string
	first := challenge("web", "first", "a.example.com", nil)
	theirs := challenge("web", "theirs", "b.example.com", func(c *acmev1.Challenge) { c.Spec.Solver = otherDNS() })
	w := notRead(t, nil, first, theirs)
	if err := w.OnChallenge(func(c Challenge, gone bool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(c.Name, " ", c.State, " ", gone))
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	heard := func(want ...string) {
		t.Helper()
		w.eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			told = slices.Compact(told)
			return slices.Equal(told, want)
		})
	}
	heard("first  false")
	first.Status.State = acmev1.Valid
	w.eventually(t, func() bool { // a fake API server loses what changes between List and Watch
		if _, err := w.cm.AcmeV1().Challenges("web").UpdateStatus(ctx, first, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		told = slices.Compact(told)
		return slices.Equal(told, []string{"first  false", "first valid false"})
	})
	for _, name := range []string{"theirs", "first"} {
		if err := w.cm.AcmeV1().Challenges("web").Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	heard("first  false", "first valid false", "first valid true")

	if err := notRead(t, func(c *Config) { c.Challenges = false }).OnChallenge(nil); err != nil {
		t.Error(err)
	}
}
