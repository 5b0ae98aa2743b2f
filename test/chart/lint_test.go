package chart

import (
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

// helm lint, as with --strict, but for the icon that the chart does not have.
// Before the user has named the zone there may be warnings.
func TestLint(t *testing.T) {
	version := &chartutil.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}
	for _, sets := range [][]string{
		nil,
		{minimal},
		{minimal, "issuer.email=me@example.com", "dnsService.splitProtocols=true", "redis.bundled.persistence.enabled=true",
			"metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true", "metrics.dashboards.enabled=true"},
	} {
		result := lint.AllWithKubeVersion(chartDir, values(t, sets...), release.Namespace, version)
		if len(result.Messages) == 0 {
			t.Error("lint says nothing at all, not even about the icon; has it seen the chart?")
		}
		for _, m := range result.Messages {
			if m.Severity > support.InfoSev && (sets != nil || m.Severity > support.WarningSev) {
				t.Errorf("%q: %v", sets, m)
			}
		}
	}
}
