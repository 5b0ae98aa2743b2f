package faults

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const docFile = "../../docs/reliability.md"

// row is what was seen of one fault.
type row struct {
	title            string
	known, unknown   []string
	present, cleanUp string
	took             time.Duration // until all was right again
}

// String is the row in the table of docs/reliability.md.
func (r row) String() string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %.1f s |", r.title, words(r.known), words(r.unknown), calls(r.present), calls(r.cleanUp), r.took.Seconds())
}

// words puts answers as people say them.
func words(answers []string) string {
	text := ""
	for i, a := range answers {
		switch {
		case i == 0:
			text = map[string]string{"value": "answered", nothing: "empty"}[a]
			if text == "" {
				text = a
			}
		case a == silent:
			text += "; no answer from the one"
		default:
			text += ", then " + a
		}
	}
	return text
}

func calls(outcome string) string {
	if outcome == "" {
		return "not called"
	}
	return outcome
}

// save puts text between the marker and the next one, or the end marker.
func save(t *testing.T, marker, text string) {
	t.Helper()
	before, old := section(t, marker)
	b, err := os.ReadFile(docFile)
	must(t, err)
	after := string(b)[len(before)+len(old):]
	must(t, os.WriteFile(docFile, []byte(before+"\n"+strings.TrimSpace(text)+"\n\n"+after), 0o644))
}

// section returns the file up to the marker <!-- name -->, and what is between
// that and <!-- end name -->.
func section(t *testing.T, marker string) (before, text string) {
	t.Helper()
	b, err := os.ReadFile(docFile)
	must(t, err)
	begin, end := "<!-- "+marker+" -->\n", "<!-- end "+marker+" -->"
	head, rest, ok := strings.Cut(string(b), begin)
	text, _, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no markers %q and %q", docFile, begin, end)
	}
	return head + begin, text
}

// withoutTimes returns the rows of a table without their last column.
func withoutTimes(text string) (rows []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), "|")
		rows = append(rows, strings.Join(cells[:len(cells)-1], "|"))
	}
	return rows
}

// metric returns the value of one of a replica's metrics.
func metric(r *replica, name string) string {
	resp, err := http.Get("http://" + r.address + ":8080/metrics")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "no " + name
}
