package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/signpost-acme/signpost"

// rooms are the packages of the product, each with those that it may import. No
// import runs back up: main → cli → server → {status, web, ownerpage, gate, solver, dnsserve} →
// {check, cluster, store, invite} → provider → zone.
var rooms = map[string][]string{
	"":                   {"internal/cli"},
	"internal/cli":       {"internal/server", "internal/status", "internal/web", "internal/invite", "internal/ownerpage", "internal/check", "internal/cluster", "internal/schedule", "internal/zone", "internal/version", "solver"},
	"internal/server":    {"internal/gate", "internal/status", "internal/web", "internal/invite", "internal/ownerpage", "solver", "dnsserve", "internal/check", "internal/cluster", "internal/store", "internal/zone", "internal/version"},
	"internal/ownerpage": {"internal/check", "internal/invite", "internal/provider", "internal/text", "internal/zone"}, // faces the Internet: not status, not cluster
	"internal/web":       {"internal/status", "internal/check", "internal/cluster", "internal/zone"},
	"internal/status":    {"internal/check", "internal/cluster", "internal/schedule", "internal/store", "internal/zone"},
	"internal/gate":      {"internal/check", "internal/cluster", "internal/schedule", "internal/zone"},
	"solver":             {"internal/check", "internal/cluster", "internal/schedule", "internal/store", "internal/zone"},
	"dnsserve":           {"internal/zone"},
	"internal/check":     {"internal/provider", "internal/zone"},
	"internal/provider":  {"internal/text", "internal/zone"},
	"internal/invite":    {"internal/zone"}, // pure: what signs links has no view of anything else
	"internal/cluster":   {"internal/zone"},
	"internal/store":     {"internal/zone"},
	"internal/zone":      nil,
	"internal/schedule":  nil,
	"internal/text":      nil,
	"internal/version":   nil,
	"internal/dnstest":   {"internal/poll", "internal/redistest"}, // its free ports
	"internal/poll":      nil,
	"internal/redistest": {"internal/poll"},
}

// Dependencies run one way, and every package has a place in the plan.
func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := room(p.ImportPath)
		may, ok := rooms[name]
		if !ok {
			t.Errorf("package %q is in no room: give it a place in this test, in docs/architecture.md and in README.md", name)
		}
		for _, i := range p.Imports {
			if strings.HasPrefix(i, module) && !slices.Contains(may, room(i)) {
				t.Errorf("%s imports %s, which it may not", p.ImportPath, i)
			}
		}
	}
	if seen != len(rooms) {
		t.Errorf("go list knows %d packages, the plan %d", seen, len(rooms))
	}
}

// The fixed libraries stay where they belong: DNS messages in dnsserve, check and
// the one question of the solver, Redis in the store, Kubernetes outside of what
// serves DNS.
func TestLibrariesStayInTheirRooms(t *testing.T) {
	for library, may := range map[string][]string{
		"github.com/miekg/dns":       {"dnsserve", "internal/check", "solver", "internal/dnstest"},
		"github.com/redis/go-redis/": {"internal/store", "internal/server", "internal/redistest"},
		"k8s.io/client-go/":          {"solver", "internal/cluster", "internal/server", "internal/cli"},
		"github.com/spf13/":          {"internal/cli", "internal/server"},
	} {
		out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...").Output()
		if err != nil {
			t.Fatal(err)
		}
		users := 0
		for line := range strings.Lines(string(out)) {
			fields := strings.Fields(line)
			if !slices.ContainsFunc(fields[1:], func(i string) bool { return strings.HasPrefix(i, library) }) {
				continue
			}
			if users++; !slices.Contains(may, room(fields[0])) {
				t.Errorf("%s imports %s, which only %q may", fields[0], library, may)
			}
		}
		if users == 0 {
			t.Errorf("nobody imports %s", library)
		}
	}
}

func room(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}
