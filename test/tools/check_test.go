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

func TestZonemaster(t *testing.T) {
	hints := rootHints(t)
	run := func(args ...string) []message {
		t.Helper()
		out := tool(t, "zonemaster-cli", append([]string{"--hints", hints, "--level", "INFO", "--json", "--no-progress"}, args...)...)
		var messages struct{ Results []message }
		if strings.HasPrefix(out, "[") { // versions before 6 print the list alone
			out = `{"results":` + out + `}`
		}
		if err := json.Unmarshal([]byte(out), &messages); err != nil || len(messages.Results) == 0 {
			t.Fatalf("%v:\n%s", err, out)
		}
		return messages.Results
	}
	check := func(t *testing.T, messages []message) {
		t.Helper()
		cases := map[string]bool{}
		for _, m := range messages {
			cases[strings.ToUpper(m.Testcase)] = true
			if m.bad() && !slices.Contains(sandboxOnly, m.Tag) {
				t.Errorf("%s %s %s %v", m.Level, m.Testcase, m.Tag, m.Args)
			}
		}
		for _, c := range []string{"BASIC02", "ADDRESS01", "CONSISTENCY06", "DELEGATION07", "NAMESERVER09", "SYNTAX07", "ZONE10"} {
			if !cases[c] {
				t.Errorf("%s did not run; those that did are %v", c, cases)
			}
		}
	}
	t.Run("as delegated", func(t *testing.T) { check(t, run(world.Zone)) })
	t.Run("undelegated", func(t *testing.T) {
		args := []string{world.Zone}
		for i := range 2 {
			for _, a := range []string{world.ReplicaAddress(i), world.ReplicaAddress6(i)} {
				args = append(args, "--ns", fmt.Sprintf("ns%d.%s/%s", i+1, world.Zone, a))
			}
		}
		check(t, run(args...))
	})
	t.Run("it finds errors", func(t *testing.T) {
		if messages := run(lame(t)); !slices.ContainsFunc(messages, message.bad) {
			t.Errorf("nothing bad about a lame delegation: %v", messages)
		}
	})
}

// message is one of Zonemaster's.
type message struct {
	Level, Testcase, Tag string
	Args                 map[string]any
}

func (m message) bad() bool {
	return slices.Contains([]string{"WARNING", "ERROR", "CRITICAL"}, m.Level)
}

// sandboxOnly is what Zonemaster minds about the sandbox's addresses: they are for
// documentation, and have no names.
var sandboxOnly = []string{"NAMESERVER_IP_PRIVATE_NETWORK", "NAMESERVER_IP_WITHOUT_REVERSE", "NAMESERVERS_IP_WITHOUT_REVERSE"}

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
