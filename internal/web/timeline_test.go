package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/status"
)

// A domain's page tells what happened to its last challenges, and how long each step
// took; what was not seen is said, and not made up.
func TestTimeline(t *testing.T) {
	s := good()
	at := func(ms int) *time.Time {
		when := s.At.Add(time.Duration(ms-60000) * time.Millisecond)
		return &when
	}
	s.Domains[0].History = []status.Past{
		{DNSName: "*.example.com", Created: *at(0), Presented: at(400), Decided: at(1900), Cleaned: at(2000), Gone: at(2100), State: "valid",
			Asked: status.Asked{Answered: 7, Networks: []string{"192.0.2.0/24", "198.51.100.0/24"}}},
		{DNSName: "example.com", Created: *at(-500000), Decided: at(-200000), Gone: at(-199000), State: "invalid"},
	}
	body := get(handlerOf(t, s), "/domain/cert-manager/example.com").Body.String()
	_, timeline, _ := strings.Cut(body, `<section class="timeline"`)
	timeline = strings.Join(strings.Fields(timeline), " ")
	rest := timeline
	for _, want := range []string{
		"<bdi>*.example.com</bdi>", "presented: its value is served <span class=\"quiet\">after 0.4 s</span>", "asked for at least 7 times, from 2 networks</li>",
		"valid: the CA has validated it <span class=\"quiet\">after 1.5 s</span>", "cleaned up: its value is served no more <span class=\"quiet\">after 0.1 s</span></li> </ol>",
		"<bdi>example.com</bdi>", "presented: not seen by this replica", "asked for by nobody, as far as is known",
		"invalid: the CA has refused it, or cert-manager has given up <span class=\"quiet\">after 5 minutes</span>", "the Challenge is deleted <span class=\"quiet\">after 1.0 s</span>",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("no %q in its turn in\n%s", want, timeline)
		}
		rest = after
	}
	if body := get(handlerOf(t, good()), "/domain/cert-manager/example.com").Body.String(); strings.Contains(body, "timeline") {
		t.Error("a timeline of nothing")
	}
}
