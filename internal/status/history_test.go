package status

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/types"

	"github.com/signpost-acme/signpost/internal/cluster"
)

// historyWorld is a History with a clock and values of its own.
type historyWorld struct {
	*History
	clock  time.Time
	values map[uuid.UUID][]string
}

func newHistoryWorld() *historyWorld {
	w := &historyWorld{clock: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), values: map[uuid.UUID][]string{}}
	w.History = NewHistory(func(scope, domain string) (uuid.UUID, error) {
		if domain == "" {
			return uuid.UUID{}, errors.New("none")
		}
		return uuid.NewSHA1(uuid.NameSpaceDNS, []byte(scope+"/"+domain)), nil
	}, func(id uuid.UUID) []string { return w.values[id] })
	w.now = func() time.Time { return w.clock }
	return w
}

// after lets time go by.
func (w *historyWorld) after(d time.Duration) { w.clock = w.clock.Add(d) }

// serves changes a domain's values.
func (w *historyWorld) serves(domain string, asked map[string]uint64, values ...string) {
	id, _ := w.targetOf("web", domain)
	w.values[id] = values
	w.Values(id, values, asked)
}

func (w *historyWorld) of(domain string) []Past {
	id, _ := w.targetOf("web", domain)
	return w.Of(id)
}

func (w *historyWorld) challenge(name, domain, state string) cluster.Challenge {
	return cluster.Challenge{Namespace: "web", Name: name, UID: types.UID(name), Scope: "web", Domain: domain, Key: "key of " + name, State: state, Since: w.clock}
}

// One challenge from its creation to its end: every step has its time.
func TestHistory(t *testing.T) {
	w := newHistoryWorld()
	begin := w.clock
	c := w.challenge("a", "example.com", "")
	c.Wildcard = true
	w.Challenge(c, false)
	w.after(time.Second)
	w.serves("example.com", nil, "another", c.Key)
	w.after(time.Second)
	id, _ := w.targetOf("web", "example.com")
	w.Asked(id, Asked{Answered: 4, Networks: []string{"192.0.2.0/24", "198.51.100.0/24"}})
	w.Asked(id, Asked{Answered: 3}) // an older count
	w.after(time.Second)
	c.State = "valid"
	w.Challenge(c, false)
	w.after(time.Second)
	w.Challenge(c, false) // decided long ago
	w.serves("example.com", map[string]uint64{"203.0.113.0/24": 2, "192.0.2.0/24": 1}, "another")
	w.after(time.Second)
	w.Challenge(c, true)
	w.Asked(id, Asked{Answered: 99}) // another one's
	list := w.of("example.com")
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	p := list[0]
	for what, got := range map[time.Duration]*time.Time{1: p.Presented, 3: p.Decided, 4: p.Cleaned, 5: p.Gone} {
		if got == nil || got.Sub(begin) != what*time.Second {
			t.Errorf("what was to happen after %d s was at %v", what, got)
		}
	}
	if p.DNSName != "*.example.com" || p.State != "valid" || !p.Created.Equal(begin) || p.Asked.Answered != 4 || fmt.Sprint(p.Asked.Networks) != "[192.0.2.0/24 198.51.100.0/24 203.0.113.0/24]" {
		t.Errorf("%+v", p)
	}
	if fmt.Sprintf("%+v", list) == "" || w.of("other.example.com") != nil || (*History)(nil).Of(id) != nil {
		t.Error("what nobody has seen is there")
	}
}

// What a replica has not seen is absent, and not made up.
func TestHistoryOfWhatWasNotSeen(t *testing.T) {
	w := newHistoryWorld()
	old := w.challenge("old", "old.example.com", "pending")
	old.Presented = true // before this replica started
	id, _ := w.targetOf("web", "old.example.com")
	w.values[id] = []string{old.Key}
	w.Challenge(old, false)
	quick := w.challenge("quick", "quick.example.com", "")
	id, _ = w.targetOf("web", "quick.example.com")
	w.values[id] = []string{quick.Key} // the store was quicker than the API server
	w.Challenge(quick, false)
	w.Challenge(w.challenge("gone", "gone.example.com", "valid"), true)
	w.Challenge(w.challenge("none", "", "valid"), false)
	if p := w.of("old.example.com")[0]; p.Presented != nil {
		t.Errorf("%+v", p)
	}
	if p := w.of("quick.example.com")[0]; p.Presented == nil {
		t.Errorf("%+v", p)
	}
	if w.of("gone.example.com") != nil || len(w.inOrder) != 2 {
		t.Errorf("%d are kept", len(w.inOrder))
	}
	w.serves("quick.example.com", nil)
	w.serves("quick.example.com", nil, quick.Key) // Redis has lost it, and it was put back
	if p := w.of("quick.example.com")[0]; p.Cleaned != nil {
		t.Errorf("what is back counts as cleaned up: %+v", p)
	}
	quick.State = "invalid"
	w.Challenge(quick, false)
	if p := w.of("quick.example.com")[0]; p.Decided == nil || p.State != "invalid" {
		t.Errorf("%+v", p)
	}
}

// However many challenges there are, few of each domain and not many in all are kept:
// the latest.
func TestHistoryIsBounded(t *testing.T) {
	w := newHistoryWorld()
	for i := range 10 {
		w.Challenge(w.challenge(fmt.Sprint("c", i), "often.example.com", ""), false)
	}
	if list := w.of("often.example.com"); len(list) != keptOfOne || list[0].Name != "c9" || list[keptOfOne-1].Name != fmt.Sprint("c", 10-keptOfOne) {
		t.Errorf("%+v", list)
	}
	for i := range keptInAll {
		w.Challenge(w.challenge(fmt.Sprint("n", i), fmt.Sprintf("n%d.example.com", i), ""), false)
	}
	if w.of("often.example.com") != nil || len(w.inOrder) != keptInAll || len(w.byOne) != keptInAll || w.of("n0.example.com") == nil {
		t.Errorf("%d challenges of %d domains are kept", len(w.inOrder), len(w.byOne))
	}
	c := w.challenge("n1", "n1.example.com", "valid")
	w.serves("n1.example.com", nil, c.Key)
	var networks []string
	for i := range 100 {
		networks = append(networks, fmt.Sprintf("10.0.%d.0/24", i))
	}
	id, _ := w.targetOf("web", "n1.example.com")
	w.Asked(id, Asked{Answered: 100, Networks: networks})
	if n := len(w.of("n1.example.com")[0].Asked.Networks); n != keptNetworks {
		t.Errorf("%d networks are kept", n)
	}
}

// What docs/performance.md says that a challenge of the past costs.
func TestHistoryIsSmall(t *testing.T) {
	const most = 1 << 10 // octets
	w := newHistoryWorld()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range keptInAll {
		c := w.challenge(fmt.Sprintf("wildcard-shop-%05d-example-com-1-1234567890-0987654321", i), fmt.Sprintf("shop-%05d.example.com", i), "")
		c.Key = fmt.Sprintf("%043d", i)
		id, _ := w.targetOf("web", c.Domain)
		w.Challenge(c, false)
		w.Values(id, []string{c.Key}, nil)
		w.Asked(id, Asked{Answered: 9, Networks: []string{fmt.Sprintf("192.0.%d.0/24", i%256), "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/48", "192.0.2.0/24"}})
		c.State = "valid"
		w.Challenge(c, false)
		w.Values(id, nil, nil)
		w.Challenge(c, true)
	}
	if each := (heap() - before) / keptInAll; each > most {
		t.Errorf("%d octets each, more than %d", each, most)
	} else {
		t.Logf("%d octets each", each)
	}
	runtime.KeepAlive(w)
}

// The watch, the store and the page come at the same time.
func TestHistoryFromManySides(t *testing.T) {
	w := newHistoryWorld()
	id, _ := w.targetOf("web", "example.com")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				c := w.challenge(fmt.Sprint("c", i, "-", n), "example.com", "valid")
				w.Challenge(c, false)
				w.Values(id, []string{c.Key}, nil)
				w.Asked(id, Asked{Answered: uint64(n), Networks: []string{"192.0.2.0/24"}})
				for _, p := range w.Of(id) {
					_ = fmt.Sprint(p)
				}
				w.Values(id, nil, nil)
				w.Challenge(c, true)
			}
		})
	}
	wg.Wait()
	if n := len(w.Of(id)); n != keptOfOne || len(w.inOrder) != keptOfOne {
		t.Errorf("%d are kept, %d in all", n, len(w.inOrder))
	}
}
