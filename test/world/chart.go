package world

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
)

// kubernetesVersion is the version of what hack/setup builds.
var kubernetesVersion = chartutil.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}

// RenderChart renders the templates of a chart whose names end in suffix, as helm
// install renders them with --set set.
func RenderChart(dir, release, namespace, set, suffix string) (string, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return "", err
	}
	chosen, err := strvals.Parse(set)
	if err != nil {
		return "", err
	}
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = kubernetesVersion
	values, err := chartutil.ToRenderValues(chart, chosen, chartutil.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}, &capabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return "", fmt.Errorf("with %s: %w", set, err)
	}
	var yaml strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, suffix) && !strings.HasSuffix(name, "NOTES.txt") {
			yaml.WriteString("---\n" + files[name] + "\n")
		}
	}
	if strings.TrimSpace(strings.ReplaceAll(yaml.String(), "---", "")) == "" {
		return "", fmt.Errorf("the chart %s makes nothing of %s", chart.Name(), suffix)
	}
	return yaml.String(), nil
}

// chartDir is where our own chart is.
func (w *World) chartDir() string { return filepath.Join(w.Bin, "../../charts/signpost") }
