package chart

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestVersionsInDocs: docs/compatibility.md names the versions that the tests really
// run, and what make compatibility has run passed.
func TestVersionsInDocs(t *testing.T) {
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page := read("docs/compatibility.md")
	for _, c := range []struct{ what, mod, module string }{
		{"cert-manager", "test/go.mod", "github.com/cert-manager/cert-manager"},
		{"Kubernetes", "test/go.mod", "k8s.io/kubernetes"},
		{"Helm 3", "test/go.mod", "helm.sh/helm/v3"},
		{"Helm 4", "hack/helm4/go.mod", "helm.sh/helm/v4"},
	} {
		required := regexp.MustCompile(`(?m)^(?:require )?\s*` + regexp.QuoteMeta(c.module) + ` (v\S+)`).FindStringSubmatch(read(c.mod))
		if required == nil {
			t.Fatalf("%s does not require %s", c.mod, c.module)
		}
		if row := "| " + c.what + " | " + required[1] + " |"; !strings.Contains(page, row) {
			t.Errorf("docs/compatibility.md has no row %q", row)
		}
	}
	_, after, _ := strings.Cut(page, "<!-- versions -->")
	table, _, ok := strings.Cut(after, "<!-- end versions -->")
	script := read("hack/compatibility")
	for what, call := range map[string]string{"cert-manager": `cert_manager (v[\d.]+)`, "Kubernetes": `kubernetes (v[\d.]+)`} {
		for _, match := range regexp.MustCompile(`[ ;]`+call).FindAllStringSubmatch(script, -1) {
			if row := "| " + what + " | " + match[1] + " |"; !strings.Contains(table, row) {
				t.Errorf("make compatibility runs %s %s, and the table has no row %q", what, match[1], row)
			}
		}
	}
	servers := len(regexp.MustCompile(`(?m)^\s+server \w+ `).FindAllString(script, -1))
	if n := strings.Count(table, "| Redis |") + strings.Count(table, "| Valkey |"); n != servers || servers == 0 {
		t.Errorf("make compatibility runs %d servers, and the table has %d", servers, n)
	}
	rows := strings.Count(table, "\n| ") - 1 // but for the head
	if !ok || rows < 1 {
		t.Fatal("docs/compatibility.md has no table of make compatibility")
	}
	if passed := strings.Count(table, "| passed |"); passed != rows {
		t.Errorf("%d of the %d versions in docs/compatibility.md passed", passed, rows)
	}
}
