package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"
)

// facts are what a release is made of, before anything is built.
type facts struct {
	Root     string    // the repository
	Version  string    // 0.1.0
	Snapshot bool      // not a release: the tree as it is
	Commit   string    // full
	Time     time.Time // of the commit
	Notes    string    // the section of CHANGELOG.md, without its heading
}

// look finds out the facts; the empty version is a snapshot. Its errors are
// mistakes of whoever releases, one sentence each.
func look(root, version string) (f facts, err error) {
	f = facts{Root: root, Snapshot: version == ""}
	for _, tool := range []string{"git", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			return f, fmt.Errorf("%s is missing: %s", tool, howToGet[tool])
		}
	}
	if !f.Snapshot {
		if err := checkVersion(version); err != nil {
			return f, err
		}
		f.Version = strings.TrimPrefix(version, "v")
	}
	if f.Commit, err = f.git("rev-parse", "HEAD"); err != nil {
		return f, fmt.Errorf("%s is not in a git repository with a commit: %w", root, err)
	}
	if f.Time, err = f.commitTime(); err != nil {
		return f, err
	}
	changed, err := f.git("status", "--porcelain")
	if err != nil {
		return f, err
	}
	if f.Snapshot {
		f.Version, err = f.snapshotVersion(changed != "")
	} else {
		err = f.checkTree(version, changed)
	}
	if err != nil {
		return f, err
	}
	f.Notes, err = f.notes()
	return f, err
}

var howToGet = map[string]string{
	"git":    "install it, on Debian and Ubuntu with apt-get install git",
	"go":     "install it from https://go.dev/dl/",
	"cosign": "make cosign builds it",
}

func checkVersion(version string) error {
	v, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	if err != nil || !strings.HasPrefix(version, "v") {
		return fmt.Errorf("VERSION=%s is no version: write v1.2.3, or v1.2.3-rc.1 for a release candidate", version)
	}
	if v.Metadata() != "" {
		return fmt.Errorf("VERSION=%s has build metadata, which a tag of an image cannot have: leave out +%s", version, v.Metadata())
	}
	return nil
}

// checkTree makes sure that the tree is the commit, and the commit the tag's.
func (f facts) checkTree(version, changed string) error {
	if changed != "" {
		lines := strings.Split(changed, "\n")
		more := ""
		if n := len(lines) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return fmt.Errorf("the tree is dirty (%s%s): commit or remove that, for a release is made of one commit", strings.TrimSpace(lines[0][2:]), more)
	}
	if tagged, err := f.git("rev-parse", "--quiet", "--verify", "refs/tags/"+version+"^{commit}"); err == nil && tagged != f.Commit {
		return fmt.Errorf("the tag %s is commit %.12s, but this tree is %.12s: check out the tag, or choose the next version", version, tagged, f.Commit)
	}
	return nil
}

// snapshotVersion is a version before the next one.
func (f facts) snapshotVersion(dirty bool) (string, error) {
	b, err := os.ReadFile(filepath.Join(f.Root, "charts", "signpost", "Chart.yaml"))
	if err != nil {
		return "", err
	}
	var chart struct{ Version string }
	if err := yaml.Unmarshal(b, &chart); err != nil {
		return "", err
	}
	version := fmt.Sprintf("%s-snapshot.g%.12s", chart.Version, f.Commit)
	if dirty {
		version += ".dirty"
	}
	return version, nil
}

func (f facts) commitTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		var err error
		if text, err = f.git("log", "-1", "--format=%ct"); err != nil {
			return time.Time{}, err
		}
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%s is no number of seconds: unset it, or set it to the commit's time", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// heading begins a version's section in CHANGELOG.md.
var heading = regexp.MustCompile(`(?m)^## \[?v?([^\]\s]+)\]?.*\n`)

// notes returns the section of CHANGELOG.md about the version.
func (f facts) notes() (string, error) {
	b, err := os.ReadFile(filepath.Join(f.Root, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	want := f.Version
	if f.Snapshot {
		want = "Unreleased"
	}
	text := string(b)
	found := heading.FindAllStringSubmatchIndex(text, -1)
	for i, m := range found {
		if text[m[2]:m[3]] != want {
			continue
		}
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		if section := strings.TrimSpace(text[m[1]:end]); section != "" {
			return section, nil
		}
		if f.Snapshot {
			return "Nothing yet.", nil // just after a release
		}
		return "", fmt.Errorf("the section about %s in CHANGELOG.md is empty: say what has changed", want)
	}
	if f.Snapshot {
		return "", errors.New(`CHANGELOG.md has no section "## Unreleased": add it at the top`)
	}
	return "", fmt.Errorf(`CHANGELOG.md has no section "## %s": rename "## Unreleased" to it, and begin a new one above`, want)
}

func (f facts) git(args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", f.Root}, args...)...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("git %s: %s", args[0], strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimRight(string(out), "\n"), err
}
