package chart

import (
	"maps"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

// blocks are the fenced blocks of a document in that language, by the heading above.
func blocks(t *testing.T, path, language string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	heading, block, inside := "", "", ""
	for line := range strings.Lines(read(t, path)) {
		switch fence, ok := strings.CutPrefix(line, "```"); {
		case ok && inside == "":
			if inside = strings.TrimSpace(fence); inside == "" {
				inside = "text"
			}
			block = ""
		case ok:
			if inside == language {
				found[heading] = append(found[heading], block)
			}
			inside = ""
		case inside != "":
			block += line
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "# "))
		}
	}
	return found
}

// The values that the guides show are values of the chart.
func TestValuesInTheDocs(t *testing.T) {
	n := 0
	all := blocks(t, "docs/install.md", "yaml")
	maps.Copy(all, blocks(t, "docs/owner-page.md", "yaml"))
	for heading, list := range all {
		for _, block := range list {
			var set map[string]any
			if err := yaml.Unmarshal([]byte(block), &set); err != nil {
				t.Errorf("%s: %v", heading, err)
			}
			if spec, ok := set["spec"].(map[string]any); ok { // in an Application, or a HelmRelease
				set, ok = spec["values"].(map[string]any)
				if source, isArgo := spec["source"].(map[string]any); isArgo {
					set, ok = source["helm"].(map[string]any)["valuesObject"].(map[string]any)
				}
				if !ok {
					continue
				}
			} else if !strings.HasPrefix(block, "# values\n") {
				continue
			}
			n++
			if set["zone"] == nil {
				set["zone"] = "acme.example.com"
			}
			if _, err := renderValues(t, set, engine.Render); err != nil {
				t.Errorf("%s: %v", heading, err)
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d blocks of values", n)
	}
}

// What is rendered again and again without a cluster comes out the same, with the
// values that the guide has for that, and not with a generated password.
func TestGitOps(t *testing.T) {
	list := blocks(t, "docs/install.md", "yaml")["GitOps"]
	if len(list) != 3 {
		t.Fatalf("%d blocks", len(list))
	}
	var set map[string]any
	if err := yaml.Unmarshal([]byte(list[0]), &set); err != nil {
		t.Fatal(err)
	}
	for _, block := range list[1:] {
		for line := range strings.Lines(list[0]) {
			if name, _, ok := strings.Cut(strings.TrimSpace(line), "   #"); ok || !strings.HasPrefix(line, "#") {
				if !strings.Contains(block, strings.TrimSpace(name)) {
					t.Errorf("%q is not among the values in\n%s", name, block)
				}
			}
		}
	}
	twice := func(set map[string]any) (first, second string) {
		for _, to := range []*string{&first, &second} {
			r, err := renderValues(t, set, engine.Render)
			if err != nil {
				t.Fatal(err)
			}
			*to = text(t, r)
		}
		return first, second
	}
	if first, second := twice(set); first != second {
		t.Errorf("the second rendering is\n%s\nthe first was\n%s", second, first)
	}
	delete(set, "redis")
	if first, second := twice(set); first == second {
		t.Error("without a Secret the password is the same each time: this test is for nothing")
	}
}
