package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// metrics are the names that the program's sources have.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	literal := regexp.MustCompile(`"(signpost_[a-z_]+)"`)
	names := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && (d.Name() == "test" || d.Name() == ".cache" || d.Name() == ".git") {
				return filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range literal.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestMonitoring(t *testing.T) {
	if r := must(t); r.has("ServiceMonitor/signpost") || r.has("PodMonitor/signpost") || r.has("PrometheusRule/signpost") || r.has("ConfigMap/signpost-dashboard") {
		t.Error("monitoring is on by default, though its CRDs may not be there")
	}
	r := must(t, "metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true", "metrics.dashboards.enabled=true", "metrics.prometheusRule.labels.release=prom",
		"secondaries[0].name=ns1.example.net", "secondaries[0].addresses[0]=192.0.2.1")
	pod := must(t, "metrics.podMonitor.enabled=true")
	get[*unstructured.Unstructured](t, pod, "PodMonitor/signpost")
	monitor := get[*unstructured.Unstructured](t, r, "ServiceMonitor/signpost")
	port, _, _ := unstructured.NestedSlice(monitor.Object, "spec", "endpoints")
	var names []string
	for _, p := range get[*corev1.Service](t, r, "Service/signpost").Spec.Ports {
		names = append(names, p.Name)
	}
	if p := port[0].(map[string]any)["port"]; p != "http" || names[1] != "http" {
		t.Errorf("the monitor scrapes %v, the Service has %v", p, names)
	}

	rule := get[*unstructured.Unstructured](t, r, "PrometheusRule/signpost")
	if rule.GetLabels()["release"] != "prom" {
		t.Errorf("labels %v", rule.GetLabels())
	}
	dashboard := get[*corev1.ConfigMap](t, r, "ConfigMap/signpost-dashboard")
	if dashboard.Labels["grafana_dashboard"] != "1" || !json.Valid([]byte(dashboard.Data["signpost.json"])) {
		t.Errorf("labels %v, or no JSON", dashboard.Labels)
	}
	rules, _ := json.Marshal(rule.Object)
	known := metrics(t)
	docs, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range known {
		if !strings.Contains(string(docs), "`"+name+"`") {
			t.Errorf("docs/monitoring.md does not say what %s is", name)
		}
	}
	alerts := regexp.MustCompile(`"alert":"(\w+)"`).FindAllStringSubmatch(string(rules), -1)
	if len(alerts) != 13 {
		t.Errorf("alerts: %v", alerts)
	}
	without, _ := json.Marshal(get[*unstructured.Unstructured](t, must(t, "orderGate.enabled=false", "metrics.prometheusRule.enabled=true"), "PrometheusRule/signpost").Object)
	if strings.Contains(string(without), "signpost_gate_") || !strings.Contains(string(without), "signpost_challenges_waiting") || strings.Contains(string(rules), "signpost_challenges_waiting") {
		t.Errorf("the alerts do not go by orderGate.enabled:\n%s\n%s", rules, without)
	}
	if strings.Contains(string(without), "Secondary") {
		t.Errorf("alerts about secondaries, though there are none:\n%s", without)
	}
	alerts = append(alerts, regexp.MustCompile(`"alert":"(SignpostQueue\w+)"`).FindAllStringSubmatch(string(without), -1)...)
	if len(alerts) != 14 {
		t.Errorf("alerts: %v", alerts)
	}
	rules = append(rules, without...)
	for _, a := range alerts {
		if !strings.Contains(string(docs), "\n### "+a[1]+"\n") || !strings.Contains(string(rules), "docs/monitoring.md#"+strings.ToLower(a[1])) {
			t.Errorf("docs/monitoring.md does not say what to do about %s, or the alert does not lead there", a[1])
		}
	}
	for where, text := range map[string]string{"the rules": string(rules), "the dashboard": dashboard.Data["signpost.json"]} {
		used := regexp.MustCompile(`signpost_[a-z_]+`).FindAllString(text, -1)
		if len(used) < 4 {
			t.Errorf("%s use only %v", where, used)
		}
		for _, name := range used {
			if base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, ""); !known[name] && !known[base] {
				t.Errorf("%s use %s, which the program does not have", where, name)
			}
		}
	}
}
