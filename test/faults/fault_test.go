package faults

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	whapi "github.com/cert-manager/cert-manager/pkg/acme/webhook/apis/acme/v1alpha1"
)

// fault is what is done to a stage, and what is to be seen of it. It is the first
// replica that is called.
type fault struct {
	begin, end func()        // end may be nil: then the fault heals by itself
	lasts      time.Duration // at least

	// What is to be seen meanwhile, at the replicas that are not down.
	known   []string // answers for the name of a challenge that was presented before: "value", or one of dns_test.go
	unknown []string // and for a name without a challenge
	may     []string // answers for that one that depend on how long something takes
	present string   // "succeeds", "fails", or "" where it is not called
	cleanUp string

	down bool          // a replica is: it does not answer
	late time.Duration // how late after the end something may come that must not
}

// run runs the fault and checks that nothing is lost, wrong or left behind. It
// returns the row of the table.
func (s *stage) run(f fault) row {
	s.Helper()
	kept, ended, fresh, unknown := s.present(s.replicas[0]), s.present(s.replicas[0]), s.newChallenge(), s.newChallenge()
	gone := s.present(s.replicas[0])
	s.cleanUp(s.replicas[0], gone)
	s.right(map[challenge]bool{kept: true, ended: true, gone: false, unknown: false})
	must(s, endChallenge(s.Context(), ended.object)) // cert-manager notes that, and then cleans up
	o := observe(s.replicas, kept.target, unknown.target)

	begin := time.Now()
	f.begin()
	begun := time.Now()
	window := begin
	if f.down { // until it is, it answers
		window = begun
	}
	presented, cleaned := s.meanwhile(f, fresh, ended)
	if presented == "succeeds" {
		s.promised(fresh)
	}
	if rest := f.lasts - time.Since(begun); rest > 0 {
		time.Sleep(rest)
	}
	healing, healed := time.Now(), begin
	if f.end != nil {
		f.end()
		healed = time.Now()
	}
	s.insist(s.replicas[0], whapi.ChallengeActionPresent, fresh)
	s.insist(s.replicas[0], whapi.ChallengeActionCleanUp, ended)
	s.right(map[challenge]bool{kept: true, ended: false, gone: false, unknown: false, fresh: true})
	took := time.Since(healed)
	time.Sleep(max(2500*time.Millisecond, f.late)) // what comes late must not come
	right := time.Now()
	must(s, s.wrong(map[challenge]bool{kept: true, ended: false, gone: false, unknown: false, fresh: true}))
	o.end()
	s.nothingLeft(kept, fresh, ended, gone)

	if f.end == nil {
		healing = right
	}
	got := row{
		known: o.answers(kept.target, during(window, healing)), unknown: o.answers(unknown.target, during(window, healing)),
		present: presented, cleanUp: cleaned, took: took,
	}
	for i, a := range got.known {
		got.known[i] = strings.ReplaceAll(a, kept.key, "value")
	}
	got.unknown = slices.DeleteFunc(got.unknown, func(a string) bool { return slices.Contains(f.may, a) })
	for what, seen := range map[string][2][]string{"a known name": {got.known, f.known}, "other names": {got.unknown, f.unknown}} {
		if !slices.Equal(seen[0], seen[1]) {
			s.Errorf("meanwhile, for %s: %q, want %q", what, seen[0], seen[1])
		}
	}
	for what, seen := range map[string][2]string{"Present": {presented, f.present}, "CleanUp": {cleaned, f.cleanUp}} {
		if seen[0] != seen[1] {
			s.Errorf("meanwhile, %s %s; want: %s", what, seen[0], seen[1])
		}
	}
	for _, answer := range o.answers(kept.target, answered(healing, right)) {
		if excused := f.down && (answer == silent || answer == servfail); answer != kept.key && !excused {
			s.Errorf("while it healed, for a known name: %q", answer)
		}
	}
	return got
}

// promised checks what a Present promises that has succeeded: a replica that does
// not have the record does not say that there is none.
func (s *stage) promised(c challenge) {
	s.Helper()
	for _, r := range s.replicas {
		switch got := ask(net.JoinHostPort(r.address, "53"), c.target); got {
		case c.key, servfail, silent:
		default:
			s.Errorf("Present has succeeded, and %s answers %q", r.Name, got)
		}
	}
}

// meanwhile calls the webhook while the fault lasts.
func (s *stage) meanwhile(f fault, fresh, ended challenge) (presented, cleaned string) {
	var wg sync.WaitGroup
	r := s.replicas[0]
	if f.present != "" {
		wg.Go(func() { presented = s.outcome(func() error { return r.call(whapi.ChallengeActionPresent, fresh) }) })
	}
	if f.cleanUp != "" {
		wg.Go(func() { cleaned = s.outcome(func() error { return r.call(whapi.ChallengeActionCleanUp, ended) }) })
	}
	wg.Wait()
	return presented, cleaned
}

// outcome makes a call, and repeats it if it fails: cert-manager must get the same
// text then. The first may differ: it can meet a connection that is just being cut.
func (s *stage) outcome(call func() error) string {
	first := call()
	if first == nil {
		return "succeeds"
	}
	second := call()
	if second == nil {
		s.Errorf("the second call succeeds, the first says %v", first)
		return "fails"
	}
	if third := call(); third == nil || !errors.Is(second, errCall) && third.Error() != second.Error() {
		s.Errorf("the third call says %v, the second %v, the first %v", third, second, first)
	}
	return "fails"
}

// right waits until nothing is wrong.
func (s *stage) right(want map[challenge]bool) {
	s.Helper()
	eventually(s.T, "all is right", func() error { return s.wrong(want) })
}

// wrong is an error if a replica does not answer with exactly what is wanted.
func (s *stage) wrong(want map[challenge]bool) error {
	for c, served := range want {
		wanted := nothing
		if served {
			wanted = c.key
		}
		for _, r := range s.replicas {
			if got := ask(net.JoinHostPort(r.address, "53"), c.target); got != wanted {
				return fmt.Errorf("%s answers %q for %s, not %q", r.Name, got, c.domain, wanted)
			}
		}
	}
	return nil
}

// nothingLeft cleans up and checks that nothing is left behind.
func (s *stage) nothingLeft(kept, fresh challenge, others ...challenge) {
	s.Helper()
	s.cleanUp(s.replicas[0], kept)
	s.insist(s.replicas[0], whapi.ChallengeActionCleanUp, fresh)
	want := map[challenge]bool{kept: false, fresh: false}
	for _, c := range others {
		want[c] = false
	}
	s.right(want)
	for _, r := range s.replicas {
		if got := metric(r, "signpost_records_names"); got != "0" {
			s.Errorf("%s still has %s names", r.Name, got)
		}
	}
}
