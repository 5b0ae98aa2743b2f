package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// repository makes a small repository with one commit.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"CHANGELOG.md":               "# Changelog\n\n## Unreleased\n\n## [0.2.0] - 2026-11-26\n\n### Fixed\n- One thing,\n  over two lines.\n\n## 0.1.0\n\n## 0.0.1\nThe first.\n",
		"charts/signpost/Chart.yaml": "version: 0.2.0\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "init", "--quiet")
	git(t, dir, "add", ".")
	commit(t, dir)
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %q: %v: %s", args, err, out)
	}
}

func commit(t *testing.T, dir string) {
	t.Helper()
	git(t, dir, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--allow-empty", "-m", "test")
}

// Whatever is wrong is said in one sentence, before anything is built.
func TestBadInput(t *testing.T) {
	for _, test := range []struct {
		name, version string
		before        func(t *testing.T, dir string)
		says          string
	}{
		{"no v", "0.2.0", nil, "VERSION=0.2.0 is no version: write v1.2.3"},
		{"two numbers", "v0.2", nil, "VERSION=v0.2 is no version"},
		{"a word", "latest", nil, "VERSION=latest is no version"},
		{"build metadata", "v0.2.0+x", nil, "leave out +x"},
		{"dirty", "v0.2.0", func(t *testing.T, dir string) {
			for _, name := range []string{"a", "b"} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, "the tree is dirty (a and 1 more): commit or remove that"},
		{"tag of another commit", "v0.2.0", func(t *testing.T, dir string) {
			git(t, dir, "tag", "v0.2.0")
			commit(t, dir)
		}, "the tag v0.2.0 is commit "},
		{"not in the changelog", "v0.3.0", nil, `CHANGELOG.md has no section "## 0.3.0": rename`},
		{"nothing in the changelog", "v0.1.0", nil, "the section about 0.1.0 in CHANGELOG.md is empty"},
		{"time", "v0.2.0", func(t *testing.T, _ string) { t.Setenv("SOURCE_DATE_EPOCH", "today") }, "SOURCE_DATE_EPOCH=today is no number"},
		{"no git", "v0.2.0", func(t *testing.T, _ string) { t.Setenv("PATH", t.TempDir()) }, "git is missing: install it"},
		{"no go", "v0.2.0", func(t *testing.T, _ string) {
			dir := t.TempDir()
			git, err := exec.LookPath("git")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(git, filepath.Join(dir, "git")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir)
		}, "go is missing: install it"},
		{"no repository", "v0.2.0", func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
				t.Fatal(err)
			}
		}, "is not in a git repository"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, out := repository(t), filepath.Join(t.TempDir(), "dist")
			if test.before != nil {
				test.before(t, dir)
			}
			err := run(t.Context(), []string{"build", "-root", dir, "-version", test.version, "-out", out})
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("says %v, want %q", err, test.says)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("something was made")
			}
		})
	}
}

func TestOtherMistakes(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"usage: release":                     {"unknown"},
		"there is no release for":            {"build", "-root", root, "-platforms", "linux/amd64,plan9/amd64", "-out", filepath.Join(t.TempDir(), "x")},
		"is named twice":                     {"build", "-root", root, "-platforms", "linux/amd64,linux/amd64", "-out", filepath.Join(t.TempDir(), "x")},
		"has files that are no earlier":      {"build", "-root", root, "-version-variable", "x", "-out", foreign},
		"-version-variable is missing":       {"build", "-root", root, "-out", filepath.Join(t.TempDir(), "x")},
		"is no release: make release":        {"push", "-dist", foreign, "-registry", "127.0.0.1:1"},
		"is not on loopback":                 {"registry", "-listen", "0.0.0.0:0"},
		"cosign is missing: make cosign":     {"sign", "-dist", someRelease(t), "-registry", "127.0.0.1:1", "-cosign", "no-such-program"},
		"no registry is named: set REGISTRY": {"push", "-dist", someRelease(t)},
	} {
		if err := run(t.Context(), args); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q says %v, want %q", args, err, says)
		}
	}
}

// someRelease is the folder of a release without its files.
func someRelease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	b, err := (&result{}).json()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, resultFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFacts(t *testing.T) {
	dir := repository(t)
	t.Setenv("SOURCE_DATE_EPOCH", "1000")
	git(t, dir, "tag", "v0.2.0")
	f, err := look(dir, "v0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if f.Version != "0.2.0" || f.Snapshot || f.Time.Unix() != 1000 || len(f.Commit) != 40 {
		t.Errorf("%+v", f)
	}
	if list := changes(f.Notes); len(list) != 1 || list[0] != (change{"fixed", "One thing, over two lines."}) {
		t.Errorf("changes %q of %q", list, f.Notes)
	}
	if f, err = look(dir, ""); err != nil || f.Version != "0.2.0-snapshot.g"+f.Commit[:12] || f.Notes != "Nothing yet." {
		t.Errorf("%+v, %v", f, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = look(dir, ""); err != nil || !strings.HasSuffix(f.Version, ".dirty") {
		t.Errorf("%+v, %v", f, err)
	}
}
