package main

import (
	"archive/zip"
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"go.yaml.in/yaml/v3"
)

func TestKrew(t *testing.T) {
	sums := map[string]string{}
	platforms, err := parsePlatforms(allPlatforms)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range platforms {
		sums[p.archive()] = strings.Repeat(string(rune('a'+i)), 64)
	}
	text, err := krew(facts{Root: root, Version: "0.1.0"}, sums)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Spec struct {
			Version   string
			Platforms []struct {
				Selector struct{ MatchLabels struct{ OS, Arch string } }
				URI      string
				SHA256   string
				Bin      string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "matchLabels", "matchlabels")), &m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if m.Spec.Version != "v0.1.0" || len(m.Spec.Platforms) != len(platforms) {
		t.Errorf("version %s, %d platforms", m.Spec.Version, len(m.Spec.Platforms))
	}
	for _, got := range m.Spec.Platforms {
		p := platform{got.Selector.MatchLabels.OS, got.Selector.MatchLabels.Arch}
		if !strings.HasSuffix(got.URI, "/v0.1.0/"+p.archive()) || got.SHA256 != sums[p.archive()] || got.Bin != p.binary() {
			t.Errorf("%s: %+v", p, got)
		}
	}
	delete(sums, "signpost_darwin_arm64.tar.gz")
	if _, err := krew(facts{Root: root, Version: "0.1.0"}, sums); err == nil {
		t.Error("an archive is missing, and nobody says so")
	}
}

func TestZip(t *testing.T) {
	when := time.Unix(1_700_000_000, 0).UTC()
	b, err := zipped(when, []entry{{"LICENSE", 0o644, []byte("text")}, {"signpost.exe", 0o755, []byte("program")}})
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f := z.File[1]; f.Name != "signpost.exe" || f.Mode().Perm() != 0o755 || !f.Modified.Equal(when) {
		t.Errorf("%s %v %v", f.Name, f.Mode(), f.Modified)
	}
}

func TestSetScalars(t *testing.T) {
	before := "# top\nimage:\n  # which\n  tag: \"\" # none\n  digest: \"\"\n  repository: a/b\nother:\n  digest: \"\"\n"
	after, err := setScalars([]byte(before), map[string]string{"image.digest": "sha256:1", "image.repository": "c"})
	want := "# top\nimage:\n  # which\n  tag: \"\" # none\n  digest: \"sha256:1\"\n  repository: \"c\"\nother:\n  digest: \"\"\n"
	if err != nil || string(after) != want {
		t.Errorf("%v\n%s", err, after)
	}
	for _, path := range []string{"image.none", "image.tag", "image"} {
		if _, err := setScalars([]byte(before), map[string]string{path: "x"}); err == nil {
			t.Errorf("%s was replaced", path)
		}
	}
}

// A version is released once.
func TestPushTwice(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	to := strings.TrimPrefix(server.URL, "http://") + "/signpost-acme/signpost:0.1.0"
	one, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same again changes nothing
		if err := push(t.Context(), to, one, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := push(t.Context(), to, other, true); err == nil || !strings.Contains(err.Error(), "a version is released once") {
		t.Errorf("another image under the same version: %v", err)
	}
}

func TestDestination(t *testing.T) {
	for _, test := range []struct{ name, host, path string }{
		{"signpost-acme/signpost", "", "signpost-acme/signpost"},
		{"registry.example/signpost-acme/signpost", "registry.example", "signpost-acme/signpost"},
		{"127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b"},
		{"localhost/a", "localhost", "a"},
	} {
		if host, path := repositoryOf(test.name); host != test.host || path != test.path {
			t.Errorf("%s: %q, %q", test.name, host, path)
		}
	}
	r := new(result)
	r.Image.Name, r.Image.Digest = "registry.example/signpost-acme/signpost:0.1.0", "sha256:1"
	if d := (destination{result: r}); d.image() != "registry.example/signpost-acme/signpost@sha256:1" {
		t.Error(d.image())
	}
	if d := (destination{result: r, registry: "127.0.0.1:5000"}); d.image() != "127.0.0.1:5000/signpost-acme/signpost@sha256:1" {
		t.Error(d.image())
	}
}
