package provider

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The table in docs/add-a-domain.md is what the data says, no more and no less.
func TestDocsTable(t *testing.T) {
	b, err := os.ReadFile("../../docs/add-a-domain.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, others []string
	for _, p := range All() {
		name := p.Name
		if p.Docs != "" {
			name = fmt.Sprintf("[%s](%s)", p.Name, p.Docs)
		}
		if p.Form.Name == "" {
			others = append(others, name)
			continue
		}
		var notes []string
		if p.Dot {
			notes = append(notes, "a dot at the end of the value")
		}
		if p.Proxy.Switch != "" {
			notes = append(notes, fmt.Sprintf("%q at %q", p.Proxy.Switch, p.Proxy.Position))
		}
		want = append(want, strings.TrimRight(fmt.Sprintf("| %s | %s | %s | %s", name, p.Form.Name, p.Form.Value, strings.Join(notes, "; ")), " ")+" |")
	}
	table := strings.Join(want, "\n")
	if !strings.Contains(string(b), "|---|---|---|---|\n"+table+"\n\n") {
		t.Errorf("docs/add-a-domain.md has another table than\n%s", table)
	}
	if list := strings.Join(others, ", "); !strings.Contains(strings.Join(strings.Fields(string(b)), " "), "by their nameservers alone: "+list+".") {
		t.Errorf("docs/add-a-domain.md has another list than\n%s", list)
	}
}
