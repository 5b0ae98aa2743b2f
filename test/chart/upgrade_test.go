package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

// earlier are the commits whose values a cluster may still have, oldest first.
// testdata/values has the values.yaml of each: a shallow clone has no history.
var earlier = []string{"ef0512e", "878315b", "26a5e6a"}

// helm upgrade --reuse-values takes the defaults of the chart that is installed:
// what is new since is missing. It must be as if the defaults were new.
func TestUpgradeWithTheValuesOfBefore(t *testing.T) {
	for _, commit := range earlier {
		source := valuesOf(t, commit)
		var old map[string]any
		if err := yaml.Unmarshal(source, &old); err != nil {
			t.Fatal(err)
		}
		for _, sets := range [][]string{
			{"issuer.email=me@example.com"},
			{"dnsService.splitProtocols=true", "redis.bundled.persistence.enabled=true", "metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true"},
			{"hostPort.enabled=true", "redis.mode=external", "redis.url=redis://r"},
			{"orderGate.enabled=false", "endChallenges.enabled=false"}, // what is false stays so
		} {
			sets = append([]string{minimal, "redis.existingSecret=s"}, sets...)
			set := values(t, sets...)
			got, err := renderValues(t, set, func(c *chart.Chart, _ chartutil.Values) (map[string]string, error) {
				c.Values = old
				all, err := chartutil.ToRenderValues(c, set, release, capabilities())
				if err != nil {
					return nil, err
				}
				return engine.Render(c, all)
			})
			if err != nil {
				t.Errorf("%s %q: %v", commit, sets, err)
				continue
			}
			want, err := render(t, sets...)
			if err != nil {
				t.Fatal(err)
			}
			if g, w := text(t, got), text(t, want); g != w {
				t.Errorf("%s %q: renders\n%s\nwant\n%s", commit, sets, g, w)
			}
		}
	}
}

// valuesOf returns a commit's values; where there is history, it must say the same.
func valuesOf(t *testing.T, commit string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/values/" + commit + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	history, err := exec.CommandContext(t.Context(), "git", "show", commit+":charts/signpost/values.yaml").Output()
	if err == nil && string(history) != string(b) {
		t.Errorf("testdata/values/%s.yaml is not that commit's values.yaml", commit)
	}
	return b
}

// text is everything that was rendered.
func text(t *testing.T, r *rendered) string {
	t.Helper()
	b, err := json.MarshalIndent(r.objects, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + r.notes
}

// What is filled in is what values.yaml says.
func TestDefaultsAreThoseOfTheValues(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(chartDir, "templates/_defaults.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(source), "{{- define \"signpost.added\" -}}\n")
	list, _, ok2 := strings.Cut(rest, "{{- end }}")
	var added map[string]any
	if err := yaml.Unmarshal([]byte(list), &added); err != nil || !ok || !ok2 {
		t.Fatal(err, ok, ok2)
	}
	var agree func(path string, added, values map[string]any)
	agree = func(path string, added, values map[string]any) {
		for key, a := range added {
			v, ok := values[key]
			group, isGroup := a.(map[string]any)
			inValues, isGroupThere := v.(map[string]any)
			switch {
			case !ok:
				t.Errorf("values.yaml has no %s%s", path, key)
			case isGroup && isGroupThere:
				agree(path+key+".", group, inValues)
			default:
				x, _ := json.Marshal(a)
				if y, _ := json.Marshal(v); string(x) != string(y) {
					t.Errorf("%s%s is %s in _defaults.tpl and %s in values.yaml", path, key, x, y)
				}
			}
		}
	}
	agree("", added, load(t).Values)
}

// Every template fills in what is missing before it reads anything: the order in
// which they are rendered is not known.
func TestEveryTemplateHasTheDefaults(t *testing.T) {
	for _, template := range load(t).Templates {
		if base := filepath.Base(template.Name); !strings.HasPrefix(base, "_") && !strings.HasPrefix(string(template.Data), "{{- include \"signpost.defaults\" . ") {
			t.Errorf("%s does not begin with the defaults", template.Name)
		}
	}
}
