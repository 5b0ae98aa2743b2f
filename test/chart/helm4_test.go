package chart

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
)

// helm4 runs Helm 4, which hack/setup builds.
func helm4(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../.cache/bin/helm4", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s%s(make setup builds Helm 4)", strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// Helm 4 accepts the chart too, and makes the same objects of it as Helm 3. Every
// other test here is with Helm 3's library.
func TestHelm4(t *testing.T) {
	if out := helm4(t, "lint", "--strict", chartDir, "--set", minimal); !strings.Contains(out, "0 chart(s) failed") {
		t.Errorf("helm lint: %s", out)
	}
	for _, set := range []string{
		"issuer.email=me@example.com",
		"redis.mode=memory,replicaCount=1,dnsService.splitProtocols=true",
		"hostPort.enabled=true,metrics.dashboards.enabled=true",
	} {
		out := helm4(t, "template", "signpost", chartDir, "--namespace", "dns", "--set", minimal, "--set", set, "--api-versions", "cert-manager.io/v1")
		made := &rendered{objects: map[string]runtime.Object{}}
		if err := made.decode("Helm 4", out); err != nil {
			t.Fatal(err)
		}
		got, want := made.keys(), must(t, strings.Split(set, ",")...).keys()
		if !slices.Equal(got, want) {
			t.Errorf("%s: Helm 4 makes\n%s\nHelm 3 makes\n%s", set, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	cmd := exec.CommandContext(t.Context(), "../../.cache/bin/helm4", "template", chartDir, "--set", "zone=Not A Name")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "zone") {
		t.Errorf("a wrong zone: %v, %s", err, out)
	}
}
