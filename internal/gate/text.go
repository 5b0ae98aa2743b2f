package gate

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
)

// maxText bounds what is said about an Order, in octets.
const maxText = 1024

// denial is what cert-manager writes into the status of the request. It is a
// function of the Order alone: a text that changed would be a change of status,
// upon which cert-manager retries at once, without back-off. So it does not say
// what was seen, nor which of the records are missing: events and the page do.
func denial(w cluster.Wanted) string {
	if w.Refused != "" {
		return clip(w.Refused)
	}
	begin, list := "Signpost lets this Order through when the owners' records for namespace %s are there: ", w.Targets
	if len(list) == 0 {
		begin, list = "Signpost lets this Order of another solver through unless these records are there for another namespace than %s; for this one they would be: ", w.Others
	}
	const end = ". cert-manager retries within seconds of their being seen; the events of the Certificate say what is missing"
	var b strings.Builder
	fmt.Fprintf(&b, begin, list[0].Scope)
	for i, t := range list {
		record := recordText(t)
		more := fmt.Sprintf("and %d more: see signpost records --scope %s", len(list)-i, t.Scope)
		if i > 0 && b.Len()+len(record)+len(more)+len(end)+len("; ; ") > maxText {
			b.WriteString("; " + more)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(record)
	}
	return b.String() + end
}

func recordText(t zone.Target) string { return t.Challenge + " CNAME " + t.Name }

// clip keeps a text, which may have what somebody has typed in it, to one line of
// maxText octets.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) { // also what ends a line, or changes the direction of writing
			return ' '
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText-len("…")], "") + "…"
	}
	return s
}
