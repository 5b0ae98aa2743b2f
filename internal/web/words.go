package web

import (
	"fmt"
	"html/template"
	"strconv"
	"time"
)

var funcs = template.FuncMap{
	"plural":   plural,
	"plural64": plural64,
	"count":    count,
	"seconds":  seconds,
	"span":     span,
	"utc":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"from":     relative,
	"expires":  expires,
	"since":    func(now, t time.Time) string { return span(now.Sub(t)) },
}

func plural64(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// relative says where t is, seen from now.
func relative(now, t time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + span(d)
	}
	return span(now.Sub(t)) + " ago"
}

// span is a duration in its largest fitting unit, rounded down.
func span(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / u.of); n >= 2 || n == 1 && u.name != "day" {
			return fmt.Sprintf("%d %s%s", n, u.name, plural(n, "", "s"))
		}
	}
	n := int(max(d, 0) / time.Second)
	return fmt.Sprintf("%d second%s", n, plural(n, "", "s"))
}

// seconds is a time for people, to the second.
func seconds(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// count is a number for people, with commas between its thousands.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// expires says when a certificate does, or did.
func expires(now, t time.Time) string {
	if t.After(now) {
		return "expires " + relative(now, t)
	}
	return "expired " + relative(now, t)
}
