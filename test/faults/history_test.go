package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// settle is how long after a fault's end its traces may be seen: a replica tries
// every second to reach Redis again, and then reads everything.
const settle = 5 * time.Second

// Kinds of faults in a history.
const (
	killed   = "replica killed"
	stopped  = "replica stopped"
	cutOff   = "replica cut off from Redis"
	paused   = "Redis paused"
	restarts = "Redis killed"
)

// episode is a fault from its beginning until it was healed; for a replica's end,
// until the replica was ready again.
type episode struct {
	kind       string
	replica    int // -1 for all
	begin, end time.Time
}

// life is what happened to one challenge.
type life struct {
	challenge
	began      time.Time // the first Present
	presented  time.Time // a Present returned success; zero for never
	cleanBegan time.Time // the first CleanUp
	cleaned    time.Time // a CleanUp returned success
	asked      []asked   // of all replicas, also of those that were down
	failures   []string  // what calls said
}

// history is all that happened.
type history struct {
	lives    []*life
	episodes []episode
}

// verify returns every violation of what Signpost promises:
//
//  1. From the moment when a Present has returned success until CleanUp begins,
//     every live replica answers with the value. One that is cut off from Redis, or
//     was until a moment ago (settle), may answer SERVFAIL instead: it cannot tell,
//     and a resolver asks another one. It must not answer anything else.
//  2. From the moment when CleanUp has returned success, no live replica answers
//     with the value, whether Present had succeeded or not. One that cannot reach
//     Redis, or could not until a moment ago (settle), may.
//
// A replica is live from when it has said that it is ready (/readyz) until its end
// begins. A query counts with the whole time from its sending to its answer: if
// something begins or ends in between, the more lenient rule holds. That a live
// replica does not answer at all, to four queries, is a violation too.
func (h *history) verify() (violations []string) {
	for _, l := range h.lives {
		for _, a := range l.asked {
			if h.during(a, 0, killed, stopped) {
				continue
			}
			has := false
			for v := range strings.FieldsSeq(a.answer) {
				has = has || v == l.key
			}
			switch {
			case !l.presented.IsZero() && !a.sent.Before(l.presented) && (l.cleanBegan.IsZero() || !a.received.After(l.cleanBegan)):
				if has || a.answer == servfail && (h.during(a, settle, cutOff) || h.kept(a)) {
					continue
				}
				violations = append(violations, fmt.Sprintf("%s, presented %v before: replica %d answers %q",
					l.domain, a.sent.Sub(l.presented), a.replica, a.answer))
			case !l.cleaned.IsZero() && !a.sent.Before(l.cleaned) && (has || a.answer == silent):
				if has && h.during(a, settle, cutOff, paused, restarts) {
					continue
				}
				violations = append(violations, fmt.Sprintf("%s, cleaned up %v before: replica %d answers %q",
					l.domain, a.sent.Sub(l.cleaned), a.replica, a.answer))
			}
		}
	}
	return violations
}

// kept reports whether a query to a replica came before it could settle after it was
// cut off, because Redis was away for everybody before it had settled.
func (h *history) kept(a asked) bool {
	for _, cut := range h.episodes {
		if cut.kind != cutOff || cut.replica != a.replica || cut.end.IsZero() || a.received.Before(cut.begin) {
			continue
		}
		until := cut.end.Add(settle)
		for _, e := range h.episodes { // in the order of their beginnings
			if (e.kind == paused || e.kind == restarts) && e.begin.After(cut.begin) && e.begin.Before(until) && e.end.Add(settle).After(until) {
				until = e.end.Add(settle)
			}
		}
		if a.sent.Before(until) {
			return true
		}
	}
	return false
}

// during reports whether a query to a replica was under way while it suffered from
// one of these, or within rest after.
func (h *history) during(a asked, rest time.Duration, kinds ...string) bool {
	for _, e := range h.episodes {
		for _, kind := range kinds {
			if e.kind == kind && (e.replica < 0 || e.replica == a.replica) && a.received.After(e.begin) && (e.end.IsZero() || a.sent.Before(e.end.Add(rest))) {
				return true
			}
		}
	}
	return false
}

// The check finds what it is there for.
func TestVerify(t *testing.T) {
	t.Parallel()
	zero := time.Now()
	at := func(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }
	query := func(seconds float64, answer string) asked {
		return asked{replica: 1, sent: at(seconds), received: at(seconds + 0.01), answer: answer}
	}
	for _, tc := range []struct {
		what      string
		query     asked
		episode   episode
		violation bool
	}{
		{what: "answered", query: query(12, "v")},
		{what: "answered beside another", query: query(12, "u v")},
		{what: "too early to be wrong", query: query(9.9, nothing)},
		{what: "not answered", query: query(10, nothing), violation: true},
		{what: "another value", query: query(12, "u"), violation: true},
		{what: "SERVFAIL without a reason", query: query(12, servfail), violation: true},
		{what: "silent", query: query(12, silent), violation: true},
		{what: "silent because killed", query: query(12, silent), episode: episode{killed, 1, at(11), at(13)}},
		{what: "another one is killed", query: query(12, silent), episode: episode{killed, 2, at(11), at(13)}, violation: true},
		{what: "killed before", query: query(12, nothing), episode: episode{killed, 1, at(10), at(11)}, violation: true},
		{what: "cut off", query: query(12, servfail), episode: episode{cutOff, 1, at(11), time.Time{}}},
		{what: "cut off, and lies", query: query(12, nothing), episode: episode{cutOff, 1, at(11), time.Time{}}, violation: true},
		{what: "without Redis it is answered", query: query(12, nothing), episode: episode{paused, -1, at(11), at(13)}, violation: true},
		{what: "after CleanUp", query: query(21, nothing)},
		{what: "between CleanUp's begin and end", query: query(20.2, "v")},
		{what: "left behind", query: query(21, "v"), violation: true},
		{what: "left behind beside another", query: query(21, "u v"), violation: true},
		{what: "left behind without Redis", query: query(21, "v"), episode: episode{paused, -1, at(20.6), at(22)}},
		{what: "left behind after a cut", query: query(21, "v"), episode: episode{cutOff, 1, at(12), at(17)}},
		{what: "left behind long after a cut", query: query(29, "v"), episode: episode{cutOff, 1, at(12), at(17)}, violation: true},
	} {
		h := history{episodes: []episode{tc.episode}, lives: []*life{{
			challenge: challenge{key: "v"}, presented: at(10), cleanBegan: at(20), cleaned: at(20.5), asked: []asked{tc.query},
		}}}
		if got := h.verify(); (len(got) > 0) != tc.violation {
			t.Errorf("%s: %q", tc.what, got)
		}
	}
	again := func(pause episode) []string {
		h := history{episodes: []episode{{cutOff, 1, at(2), at(8)}, pause}, lives: []*life{{
			challenge: challenge{key: "v"}, presented: at(10), asked: []asked{query(15, servfail)},
		}}}
		return h.verify()
	}
	if got := again(episode{paused, -1, at(11), at(14)}); len(got) != 0 {
		t.Errorf("Redis is paused before a replica could settle after a cut: %q", got)
	}
	if got := again(episode{paused, -1, at(13.5), at(14)}); len(got) != 1 {
		t.Errorf("Redis is paused after a replica could settle: %q", got)
	}
	failed := history{lives: []*life{{challenge: challenge{key: "v"}, cleaned: at(20), asked: []asked{query(19, nothing), query(21, "v")}}}}
	if got := failed.verify(); len(got) != 1 {
		t.Errorf("a Present that failed and took effect after CleanUp: %q", got)
	}
}
