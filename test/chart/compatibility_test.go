package chart

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// A chart says no to an image that is too old for it, where its tag tells.
func TestTooOldImageIsRefused(t *testing.T) {
	oldest := load(t).Metadata.Annotations["signpost/oldest-image"]
	if oldest == "" {
		t.Fatal("the chart does not say which image is the oldest")
	}
	for tag, ok := range map[string]bool{
		"": true, oldest: true, "v" + oldest: true, oldest + "-rc.1": true, "99.0.0": true, "sandbox": true, "1.26": true,
		"0.0.9": false, "v0.0.9": false, "0.0.9-rc.1": false,
	} {
		_, err := render(t, minimal, "image.tag="+tag)
		if ok && err != nil {
			t.Errorf("image.tag=%s: %v", tag, err)
		}
		if !ok && (err == nil || !strings.Contains(err.Error(), "image.tag: "+tag+" is older than "+oldest+", the oldest image")) {
			t.Errorf("image.tag=%s: %v", tag, err)
		}
	}
}

// A released chart names its own image by digest, until somebody names another.
func TestReleasedImage(t *testing.T) {
	const own, other = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	released := func(c *chart.Chart, v chartutil.Values) (map[string]string, error) {
		c.Metadata.Annotations["signpost/image-digest"] = own
		return engine.Render(c, v)
	}
	for set, want := range map[string]string{
		"image.pullPolicy=Always":                "signpost-acme/signpost@" + own,
		"image.repository=mirror.example/a":      "mirror.example/a@" + own,
		"image.tag=99.0.0":                       "signpost-acme/signpost:99.0.0",
		"image.digest=" + other:                  "signpost-acme/signpost@" + other,
		"image.tag=99.0.0,image.digest=" + other: "signpost-acme/signpost@" + other,
	} {
		r, err := renderValues(t, values(t, minimal, set), released)
		if err != nil {
			t.Fatal(err)
		}
		for name, pod := range r.pods() {
			for _, c := range pod.Spec.Containers {
				if c.Name != "valkey" && c.Image != want {
					t.Errorf("%s: %s runs %s, want %s", set, name, c.Image, want)
				}
			}
		}
	}
}

// Another version of the chart leaves Valkey's pod as it is: without a volume a new
// one has no records.
func TestUpgradeKeepsValkey(t *testing.T) {
	pod := func(version string) corev1.PodTemplateSpec {
		r, err := renderValues(t, values(t, minimal), func(c *chart.Chart, v chartutil.Values) (map[string]string, error) {
			c.Metadata.Version, c.Metadata.AppVersion = version, version
			v["Chart"] = c.Metadata
			return engine.Render(c, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		return get[*appsv1.Deployment](t, r, "Deployment/signpost-valkey").Spec.Template
	}
	if old, updated := pod("0.1.0"), pod("0.2.0"); !reflect.DeepEqual(old, updated) {
		t.Errorf("an upgrade replaces Valkey:\n%v\n%v", old.ObjectMeta, updated.ObjectMeta)
	}
}

// What Artifact Hub reads of the chart: it ignores what it does not understand,
// without a word.
func TestArtifactHubAnnotations(t *testing.T) {
	a := load(t).Metadata.Annotations
	list := func(key string) (items []map[string]any) {
		if err := yaml.UnmarshalStrict([]byte(a["artifacthub.io/"+key]), &items); err != nil || len(items) == 0 {
			t.Errorf("%s: %d items, %v", key, len(items), err)
		}
		return items
	}
	for _, c := range list("changes") {
		if !slices.Contains([]string{"added", "changed", "deprecated", "removed", "fixed", "security"}, c["kind"].(string)) || c["description"] == "" {
			t.Errorf("change %v", c)
		}
	}
	for _, image := range list("images") {
		if image["name"] == "" || image["image"] == "" {
			t.Errorf("image %v", image)
		}
	}
	for _, link := range list("links") {
		if link["name"] == "" || !strings.HasPrefix(link["url"].(string), "https://") {
			t.Errorf("link %v", link)
		}
	}
	for key, want := range map[string]string{"license": "Apache-2.0", "category": "security", "prerelease": "false", "operator": "false"} {
		if a["artifacthub.io/"+key] != want {
			t.Errorf("%s is %q, want %q", key, a["artifacthub.io/"+key], want)
		}
	}
	known := []string{"changes", "images", "links", "license", "category", "prerelease", "operator"}
	for key := range a {
		if name, ok := strings.CutPrefix(key, "artifacthub.io/"); ok && !slices.Contains(known, name) {
			t.Errorf("nobody knows the annotation %s", key)
		}
	}
}
