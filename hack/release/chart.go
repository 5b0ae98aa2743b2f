package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// packChart packs the chart with the release's version, and the image by digest.
// Helm's own packaging has the present time in it.
func packChart(f facts, repository, digest string) (tgz []byte, meta *chart.Metadata, err error) {
	c, err := loader.LoadDir(filepath.Join(f.Root, "charts", "signpost"))
	if err != nil {
		return nil, nil, err
	}
	var entries []entry
	for _, file := range c.Raw { // without what .helmignore names
		content := file.Data
		switch file.Name {
		case "Chart.yaml":
			content, err = chartYAML(f, file.Data, repository, digest)
		case "values.yaml":
			content, err = setScalars(file.Data, map[string]string{"image.repository": repository})
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file.Name, err)
		}
		entries = append(entries, entry{"signpost/" + file.Name, 0o644, content})
	}
	slices.SortFunc(entries, func(a, b entry) int { // Chart.yaml first, as Helm has it
		first := func(e entry) int { return map[bool]int{true: 0, false: 1}[e.Name == "signpost/Chart.yaml"] }
		if d := first(a) - first(b); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	if tgz, err = tarGz(f.Time, entries); err != nil {
		return nil, nil, err
	}
	packed, err := loader.LoadArchive(bytes.NewReader(tgz))
	if err != nil {
		return nil, nil, fmt.Errorf("the packed chart: %w", err)
	}
	return tgz, packed.Metadata, packed.Validate()
}

// chartYAML sets the version, and the annotations that differ in each release.
func chartYAML(f facts, text []byte, repository, digest string) ([]byte, error) {
	var m map[string]any
	if err := yaml.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	annotations, ok := m["annotations"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("there are no annotations")
	}
	m["version"], m["appVersion"] = f.Version, f.Version
	changes, err := yaml.Marshal(changes(f.Notes))
	if err != nil {
		return nil, err
	}
	images, err := yaml.Marshal([]map[string]any{{
		"name": "signpost", "image": repository + ":" + f.Version + "@" + digest, "platforms": []string{"linux/amd64", "linux/arm64"},
	}})
	if err != nil {
		return nil, err
	}
	annotations["signpost/image-digest"] = digest // templates/_compatibility.tpl takes it
	annotations["artifacthub.io/changes"] = string(changes)
	annotations["artifacthub.io/images"] = string(images)
	annotations["artifacthub.io/prerelease"] = fmt.Sprint(strings.Contains(f.Version, "-"))
	return yaml.Marshal(m)
}

// setScalars replaces values in YAML and leaves everything else as it is,
// comments too. Its keys are paths with dots.
func setScalars(text []byte, values map[string]string) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(text), "\n")
	for path, value := range values {
		node := document.Content[0]
		for key := range strings.SplitSeq(path, ".") {
			i := 0
			for i < len(node.Content) && (i%2 == 1 || node.Content[i].Value != key) {
				i++
			}
			if node.Kind != yaml.MappingNode || i == len(node.Content) {
				return nil, fmt.Errorf("there is no %s", path)
			}
			node = node.Content[i+1]
		}
		line := lines[node.Line-1]
		before, after := line[:node.Column-1], line[node.Column-1:]
		old := node.Value
		if node.Style == yaml.DoubleQuotedStyle {
			old = `"` + old + `"`
		}
		rest, ok := strings.CutPrefix(after, old)
		if !ok || strings.TrimSpace(rest) != "" {
			return nil, fmt.Errorf("%s is no plain value on a line of its own", path)
		}
		lines[node.Line-1] = before + `"` + value + `"` + rest
	}
	return []byte(strings.Join(lines, "")), nil
}
