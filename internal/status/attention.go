package status

import "time"

// The pauses between two checks of a domain. docs/performance.md has them.
const (
	atOnce   = 4 * time.Second  // while somebody may be sitting at the domain: in the first hour without its record
	soon     = time.Minute      // in the first day
	later    = 10 * time.Minute // after that, and in the day before a renewal
	slowest  = 5 * time.Minute  // while its DNS servers do not answer
	settled  = 5 * time.Minute  // while nothing is to be done
	farthest = time.Hour        // the same with many domains

	// Each domain adds so much to settled, and each without its record to atOnce, so that
	// there are no more than three whole checks a second, and fifty questions.
	settledShare = 360 * time.Millisecond
	atOnceShare  = 20 * time.Millisecond
)

// crowd is how many domains share the checks.
type crowd struct{ domains, bad int }

// attention says how much of it a domain needs.
type attention struct {
	waiting time.Time // since when a request waits for its record; zero if none does
	renewal time.Time // of its certificate that is renewed first; zero for none
}

func attentionOf(d *Domain) (a attention) {
	for _, r := range d.Requests {
		if a.waiting.Before(r.Since) { // somebody may be sitting at the latest
			a.waiting = r.Since
		}
	}
	for _, c := range d.Certificates {
		if c.RenewalTime != nil && (a.renewal.IsZero() || c.RenewalTime.Before(a.renewal)) {
			a.renewal = *c.RenewalTime
		}
	}
	return a
}

// pause returns how long to wait after a check with that result.
func (a attention) pause(known checked, all crowd, now time.Time) time.Duration {
	if known.bad.IsZero() {
		pause := min(max(settled, time.Duration(all.domains)*settledShare), farthest)
		if !a.renewal.IsZero() && a.renewal.Sub(now) < 24*time.Hour {
			pause = min(pause, later)
		}
		return pause
	}
	since := known.bad
	if since.Before(a.waiting) {
		since = a.waiting
	}
	switch asked := now.Sub(since); {
	case asked < time.Hour:
		return min(max(atOnce, time.Duration(all.bad)*atOnceShare), soon)
	case asked < 24*time.Hour:
		return soon
	}
	return later
}
