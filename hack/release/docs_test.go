package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The pages about releases lead where they say, and name targets that exist.
func TestPagesAboutReleases(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([a-z0-9-]+))?\)`)
	target := regexp.MustCompile("`make ([a-z-]+)")
	makefiles := read(t, root+"/Makefile") + read(t, "release.mk")
	for _, page := range []string{"docs/releasing.md", "docs/compatibility.md", "SECURITY.md"} {
		text := read(t, filepath.Join(root, page))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			file := filepath.Join(root, filepath.Dir(page), m[1])
			if m[1] == "" {
				file = filepath.Join(root, page)
			}
			if m[2] != "" && !hasHeading(read(t, file), m[2]) {
				t.Errorf("%s: %s has no heading %s", page, m[1], m[2])
			} else if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
		for _, m := range target.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefiles, "\n"+m[1]+": ") && !strings.Contains(makefiles, "\n"+m[1]+":\n") {
				t.Errorf("%s: there is no target %s", page, m[1])
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 -]+`)

// hasHeading reports whether a page has the heading that an anchor is made of.
func hasHeading(page, anchor string) bool {
	for line := range strings.Lines(page) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if ok && strings.HasPrefix(line, "#") && strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}
