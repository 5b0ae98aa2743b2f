package tools

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

// sandboxOnly is what Zonemaster minds about the sandbox's addresses: they are for
// documentation, and have no names.
var sandboxOnly = []string{"NAMESERVER_IP_PRIVATE_NETWORK", "NAMESERVER_IP_WITHOUT_REVERSE", "NAMESERVERS_IP_WITHOUT_REVERSE"}

func TestZonemaster(t *testing.T) {
	check := func(t *testing.T, messages []message) {
		t.Helper()
		judge(t, messages, "BASIC02", "ADDRESS01", "CONSISTENCY06", "DELEGATION07", "NAMESERVER09", "SYNTAX07", "ZONE10")
	}
	t.Run("as delegated", func(t *testing.T) { check(t, zonemaster(t, world.Zone)) })
	t.Run("undelegated", func(t *testing.T) {
		args := []string{world.Zone}
		for i := range 2 {
			for _, a := range []string{world.ReplicaAddress(i), world.ReplicaAddress6(i)} {
				args = append(args, "--ns", fmt.Sprintf("ns%d.%s/%s", i+1, world.Zone, a))
			}
		}
		check(t, zonemaster(t, args...))
	})
	t.Run("it finds errors", func(t *testing.T) {
		if messages := zonemaster(t, lame(t)); !slices.ContainsFunc(messages, message.bad) {
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

func (m message) String() string {
	return fmt.Sprintf("%s %s %s %v", m.Level, m.Testcase, m.Tag, m.Args)
}

// zonemaster returns what Zonemaster says about a zone.
func zonemaster(t *testing.T, args ...string) []message {
	t.Helper()
	out := tool(t, "zonemaster-cli", append([]string{"--hints", rootHints(t), "--level", "DEBUG", "--json", "--no-progress"}, args...)...)
	var messages struct{ Results []message }
	if strings.HasPrefix(out, "[") { // versions before 6 print the list alone
		out = `{"results":` + out + `}`
	}
	if err := json.Unmarshal([]byte(out), &messages); err != nil || len(messages.Results) == 0 {
		t.Fatalf("%v:\n%s", err, out)
	}
	return messages.Results
}

// judge fails unless these of Zonemaster's test cases ran, and nothing is bad but what
// is sandboxOnly.
func judge(t *testing.T, messages []message, cases ...string) {
	t.Helper()
	ran := map[string]bool{}
	for _, m := range messages {
		if name, ok := m.Args["testcase"].(string); ok && m.Tag == "TEST_CASE_END" {
			ran[strings.ToUpper(name)] = true
		}
		if m.bad() && !slices.Contains(sandboxOnly, m.Tag) {
			t.Error(m)
		}
	}
	for _, c := range cases {
		if !ran[c] {
			t.Errorf("%s did not run; those that did are %v", c, slices.Sorted(maps.Keys(ran)))
		}
	}
}
