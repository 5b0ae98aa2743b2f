package main

import "strings"

// change is one line of the changelog, as Artifact Hub shows it.
type change struct {
	Kind        string `yaml:"kind"`
	Description string `yaml:"description"`
}

// kinds are those that Artifact Hub knows, by the headings of Keep a Changelog.
var kinds = map[string]string{
	"Added": "added", "Changed": "changed", "Deprecated": "deprecated", "Removed": "removed", "Fixed": "fixed", "Security": "security",
}

// changes reads the items of a section of CHANGELOG.md.
func changes(notes string) []change {
	var list []change
	kind := "changed"
	for line := range strings.SplitSeq(notes, "\n") {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "### "):
			if k := kinds[strings.TrimSpace(line[4:])]; k != "" {
				kind = k
			}
		case strings.HasPrefix(line, "- "):
			list = append(list, change{kind, text[2:]})
		case text != "" && strings.HasPrefix(line, " ") && len(list) > 0:
			list[len(list)-1].Description += " " + text
		}
	}
	return list
}

// releaseNotes are what people read on the release's page.
func releaseNotes(f facts, r *result) string {
	var b strings.Builder
	b.WriteString(f.Notes + "\n\n## Digests\n\n")
	b.WriteString("| what | digest |\n|---|---|\n")
	b.WriteString("| image `" + r.Image.Name + "` | `" + r.Image.Digest + "` |\n")
	b.WriteString("| chart `" + r.Chart.Name + "` | `" + r.Chart.Digest + "` |\n\n")
	b.WriteString("Everything is signed and can be built again, bit for bit: [docs/releasing.md](https://github.com/signpost-acme/signpost/blob/" + f.Commit + "/docs/releasing.md).\n")
	return b.String()
}
