package web

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// stripDays is how far the picture of expiries looks ahead.
const stripDays = 90

// The picture's size, in units of its own: a bar is as wide as a day.
const (
	stripHeight = 60
	dayWidth    = 10
	barWidth    = 8
)

// strip counts domains by the day on which their certificate expires, from today on.
type strip struct {
	well, ill [stripDays]int // those whose state is Ready, and the others
	most      int            // of one day
	expired   int
	within    [3]int // of stripSpans
	known     int    // domains that have a certificate
}

// stripSpans are the days that are counted together, as expiryChoices has them.
var stripSpans = [3]int{7, 30, 90}

func newStrip(rows []Row, now time.Time) (s strip) {
	for _, r := range rows {
		if r.Expiry.IsZero() {
			continue
		}
		s.known++
		left := r.Expiry.Sub(now)
		if left <= 0 {
			s.expired++
			continue
		}
		for i, days := range stripSpans {
			if left < time.Duration(days)*24*time.Hour {
				s.within[i]++
			}
		}
		day := int(left / (24 * time.Hour))
		if day >= stripDays {
			continue
		}
		if r.Mark.State == OK {
			s.well[day]++
		} else {
			s.ill[day]++
		}
		s.most = max(s.most, s.well[day]+s.ill[day])
	}
	return s
}

// stripLink is how many domains expire within a time, and where they are listed.
type stripLink struct {
	Title, Expiry string
	Count         int
}

// Links are the picture in words.
func (s strip) Links() []stripLink {
	links := []stripLink{{"Expired", "expired", s.expired}}
	for i, days := range stripSpans {
		links = append(links, stripLink{fmt.Sprintf("%d days", days), fmt.Sprintf("%dd", days), s.within[i]})
	}
	return links
}

// Shown reports whether there is anything to be shown.
func (s strip) Shown() bool { return s.known > 0 }

// Width, Height and Most are those of the picture.
func (s strip) Width() int  { return stripDays * dayWidth }
func (s strip) Height() int { return stripHeight }
func (s strip) Most() int   { return s.most }

// Well and Ill draw the bars of domains that are ready, and above them those of the
// others, as the data of an SVG path. Heights are square roots, so that one domain is
// seen beside a thousand.
func (s strip) Well() string { return s.path(true) }
func (s strip) Ill() string  { return s.path(false) }

func (s strip) path(well bool) string {
	var b strings.Builder
	for day := range stripDays {
		low, high := 0, s.height(s.well[day])
		if !well {
			low, high = high, s.height(s.well[day]+s.ill[day])
			if s.ill[day] > 0 {
				high = max(high, low+2)
			}
		}
		if high > low {
			fmt.Fprintf(&b, "M%d %dv-%dh%dv%dz", day*dayWidth+(dayWidth-barWidth)/2, stripHeight-low, high-low, barWidth, high-low)
		}
	}
	return b.String()
}

// height of a bar; one that is not empty can be seen.
func (s strip) height(n int) int {
	if n == 0 {
		return 0
	}
	return max(3, int(math.Round(math.Sqrt(float64(n)/float64(s.most))*(stripHeight-2))))
}
