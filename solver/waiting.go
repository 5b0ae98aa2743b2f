package solver

import (
	"time"

	"github.com/signpost-acme/signpost/internal/cluster"
)

const (
	// cert-manager backs off for up to 30 minutes.
	nudgeGap    = 30 * time.Second
	maxNudgeGap = 5 * time.Minute
)

// waiting is a challenge that is not presented, for a reason. The Watcher's lock guards
// the first part; of the rest one turn at a time makes use.
type waiting struct {
	challenge cluster.Challenge
	held      bool // by another one of the same name

	told  string        // the last message in an event
	again time.Time     // not nudged before; zero for at once
	gap   time.Duration // until then, at the last nudge; zero if the CNAME has been missing since
}

// nudged says that cert-manager was nudged. It tries once; if that fails for another
// reason than the CNAME, its back-off goes on, so the nudge is repeated.
func (w *waiting) nudged() {
	w.gap = min(max(2*w.gap, nudgeGap), maxNudgeGap)
	w.again = time.Now().Add(w.gap)
}

// spent says that a nudge before now has been in vain, so that the next is due.
func (w *waiting) spent() { w.again, w.gap = time.Time{}, 0 }

// pause returns how long to wait before the next look at a domain whose owner
// has been asked for a record since then: seconds while somebody may be sitting
// at it, a minute when it has been days.
func pause(asked time.Duration) time.Duration {
	switch {
	case asked < 15*time.Minute:
		return 2 * time.Second
	case asked < 2*time.Hour:
		return 10 * time.Second
	default:
		return time.Minute
	}
}
