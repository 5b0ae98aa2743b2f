package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/spdx/tools-golang/json"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// make1 makes a release of the tree for one platform.
func make1(t *testing.T, root, out string) *result {
	t.Helper()
	r, err := build(t.Context(), buildOptions{root: root, out: out, variable: versionVariable(t), repository: "registry.example/signpost-acme/signpost", platforms: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copyOfTree is the repository, as it is, in another folder.
func copyOfTree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "longer", "path")
	script := `git clone --quiet --shared --no-checkout . "$1" && git ls-files -z --cached --others --exclude-standard --deduplicate |
		while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done | tar -c --null -T - | tar -x -C "$1" && cp "$(git rev-parse --git-path index)" "$1/.git/index"`
	cmd := exec.Command("bash", "-c", script, "copy", dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// Two runs, in two folders, of two copies of the tree: every file is the same.
func TestReproducible(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "dist"), filepath.Join(t.TempDir(), "elsewhere", "dist")
	r := make1(t, root, one)
	t.Setenv("GOFLAGS", "-tags=portable")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("TZ", "Asia/Tokyo")
	make1(t, copyOfTree(t), two)
	a, b := sums(t, one), sums(t, two)
	if !maps.Equal(a, b) {
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s differs", name)
			}
		}
		t.Errorf("%d and %d files", len(a), len(b))
	}
	t.Run("archive", func(t *testing.T) { checkArchive(t, one, r) })
	t.Run("image", func(t *testing.T) { checkImage(t, one, r) })
	t.Run("chart", func(t *testing.T) { checkChart(t, one, r) })
	t.Run("checksums", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", "checksums.txt")
		cmd.Dir = one
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	// Made again into the same folder.
	if again := make1(t, root, one); again.Image.Digest != r.Image.Digest {
		t.Error("the third image is another")
	}
}

// sums are of all files in a folder, but of layouts those that are named by theirs.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		s := sha256.Sum256(b)
		name, _ := filepath.Rel(dir, path)
		all[name] = hex.EncodeToString(s[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func untar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d:%d %s", h.Name, h.Uid, h.Gid, h.Uname)
		}
	}
}

func checkArchive(t *testing.T, dir string, r *result) {
	b, err := os.ReadFile(filepath.Join(dir, "signpost_linux_amd64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	files := untar(t, z)
	program := filepath.Join(t.TempDir(), "signpost")
	if err := os.WriteFile(program, files["signpost"], 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "signpost "+r.Version+" ") {
		t.Errorf("the program says %q, %v", out, err)
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		if len(files[name]) == 0 {
			t.Errorf("no %s", name)
		}
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"signpost_linux_amd64.tar.gz.spdx.json", sbomOfImage("amd64")} {
		checkSBOM(t, filepath.Join(dir, name), info)
	}
}

// checkSBOM: it is SPDX, and has every module that the program has.
func checkSBOM(t *testing.T, file string, info *buildinfo.BuildInfo) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := json.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, p := range d.Packages {
		there[p.PackageName+"@"+p.PackageVersion] = true
		if len(p.PackageExternalReferences) != 1 || !strings.HasPrefix(p.PackageExternalReferences[0].Locator, "pkg:") {
			t.Errorf("%s: %s has no package URL", file, p.PackageName)
		}
	}
	if len(info.Deps) < 50 || !there["stdlib@"+strings.TrimPrefix(info.GoVersion, "go")] {
		t.Errorf("%s: %d modules, Go %s", file, len(info.Deps), info.GoVersion)
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if !there[m.Path+"@"+m.Version] {
			t.Errorf("%s: there is no %s %s", file, m.Path, m.Version)
		}
	}
	if len(d.Relationships) != len(d.Packages) {
		t.Errorf("%s: %d packages, %d relationships", file, len(d.Packages), len(d.Relationships))
	}
}

func checkImage(t *testing.T, dir string, r *result) {
	what, err := readLayout(filepath.Join(dir, "image"), r.Image.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(what.(v1.ImageIndex)); err != nil {
		t.Error(err)
	}
	if n := bytes.Count(authorities(), []byte("BEGIN CERTIFICATE")); n < 80 {
		t.Errorf("%d public CAs", n)
	}
}

func checkChart(t *testing.T, dir string, r *result) {
	c, err := loader.Load(filepath.Join(dir, r.Chart.File))
	if err != nil {
		t.Fatal(err)
	}
	image := c.Values["image"].(map[string]any)
	if c.Metadata.Version != r.Version || c.Metadata.AppVersion != r.Version || c.Metadata.Annotations["signpost/image-digest"] != r.Image.Digest || image["repository"] != "registry.example/signpost-acme/signpost" {
		t.Errorf("version %s, %s, image %v", c.Metadata.Version, c.Metadata.AppVersion, image)
	}
	if r.Chart.Name != "registry.example/signpost-acme/charts/signpost:"+r.Version {
		t.Errorf("the chart is called %s", r.Chart.Name)
	}
	for _, key := range []string{"changes", "images", "prerelease", "license", "category"} {
		if c.Metadata.Annotations["artifacthub.io/"+key] == "" {
			t.Errorf("no annotation %s", key)
		}
	}
	what, err := readLayout(filepath.Join(dir, "chart"), r.Chart.Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := what.(v1.Image).Manifest()
	if err != nil || len(m.Layers) != 1 || m.Layers[0].MediaType != chartLayer || m.Config.MediaType != chartConfig {
		t.Errorf("%+v, %v", m, err)
	}
}
