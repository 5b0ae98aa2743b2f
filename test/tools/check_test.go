package tools

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

// rootHints writes the sandbox's root as a file of hints.
func rootHints(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.hints")
	if err := os.WriteFile(path, fmt.Appendf(nil, ". 60 IN NS ns.\nns. 60 IN A %s\n", world.ParentAddress), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lame is delegated to us, and not served by us: a zone in which the tools must
// find errors, or finding none elsewhere would mean nothing.
func lame(t *testing.T) string {
	t.Helper()
	const name = "lame.example.com"
	if err := theWorld.Parent.Set(t.Context(), "example.com", name, name+". NS ns1."+world.Zone+".\n"+name+". NS ns2."+world.Zone+"."); err != nil {
		t.Fatal(err)
	}
	return name
}

// DNSViz follows every name from the root, and asks every server for it in many ways.
func TestDNSViz(t *testing.T) {
	run := func(names ...string) (problems, seen []string) {
		t.Helper()
		dir := t.TempDir()
		probe, grok := filepath.Join(dir, "probe"), filepath.Join(dir, "grok")
		tool(t, "dnsviz", append([]string{"probe", "-4", "-A", "-a", ".", "-x", ".:ns=" + world.ParentAddress, "-o", probe}, names...)...)
		tool(t, "dnsviz", "grok", "-l", "info", "-r", probe, "-o", grok)
		b, err := os.ReadFile(grok)
		if err != nil {
			t.Fatal(err)
		}
		var found map[string]any
		if err := json.Unmarshal(b, &found); err != nil {
			t.Fatalf("%v:\n%s", err, b)
		}
		for name := range found {
			seen = append(seen, name)
		}
		return collect("", found), seen
	}
	names := []string{world.Zone, challenge, empty, many, "nothing." + world.Zone, "_acme-challenge.example.com"}
	problems, seen := run(names...)
	for _, p := range problems {
		t.Error(p)
	}
	for _, name := range names {
		if !slices.Contains(seen, name+".") {
			t.Errorf("%s was not looked at, only %v", name, seen)
		}
	}
	if problems, _ := run(lame(t)); len(problems) == 0 {
		t.Error("nothing bad about a lame delegation")
	}
}

// collect returns the errors and warnings anywhere in what dnsviz grok says.
func collect(path string, v any) (problems []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if key == "errors" || key == "warnings" {
				problems = append(problems, fmt.Sprintf("%s: %s %v", strings.TrimPrefix(path, "/"), key, value))
				continue
			}
			problems = append(problems, collect(path+"/"+key, value)...)
		}
	case []any:
		for _, value := range v {
			problems = append(problems, collect(path, value)...)
		}
	}
	return problems
}
