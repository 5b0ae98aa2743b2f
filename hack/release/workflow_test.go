package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The workflow does what was rehearsed: its steps call targets of make, in the
// order of the rehearsal, and build, push and sign nothing by other means.
func TestWorkflowDoesWhatWasRehearsed(t *testing.T) {
	text, err := os.ReadFile(root + "/.github/workflows/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("release.mk")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`^make ([a-z-]+)`)
	harmless := regexp.MustCompile(`^(echo "checksums=|test "\$\(sha256sum <dist/checksums.txt\)" = )`)
	for job, want := range map[string]string{
		"registry": "release release-push release-sign release-verify",
		"archives": "release release-sign-checksums release-verify-checksums release-draft",
	} {
		var called []string
		for _, step := range w.Jobs[job].Steps {
			for line := range strings.SplitSeq(strings.TrimSpace(step.Run), "\n") {
				if m := call.FindStringSubmatch(line); m != nil {
					called = append(called, m[1])
					if !strings.Contains(string(makefile), "\n"+m[1]+": ") {
						t.Errorf("%s: there is no target %s", job, m[1])
					}
				} else if line != "" && !harmless.MatchString(line) {
					t.Errorf("%s does something that nobody has rehearsed: %s", job, line)
				}
			}
		}
		if got := strings.Join(called, " "); got != want {
			t.Errorf("%s calls %q, want %q", job, got, want)
		}
	}
	if len(w.Jobs) != 2 {
		t.Errorf("%d jobs", len(w.Jobs))
	}
}
