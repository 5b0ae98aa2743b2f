package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// valuesBefore is the values.yaml of the last chart without the order gate.
const valuesBefore = "../chart/testdata/values/26a5e6a.yaml"

// upgradeInFlight upgrades from the chart without the gate, with its values, while
// one challenge waits for its CNAME, as it did then, and others are being presented:
// none is lost. The one that waits gives its place up and waits at the gate.
func upgradeInFlight(t *testing.T) {
	source, err := os.ReadFile(valuesBefore)
	if err != nil {
		t.Fatal(err)
	}
	var old map[string]any
	if err := yaml.Unmarshal(source, &old); err != nil {
		t.Fatal(err)
	}
	gate := func(enabled bool) map[string]any { return map[string]any{"enabled": enabled} }
	if err := helm(t).Reset(t.Context(), Release, c.Chart, old, c.Values(map[string]any{"orderGate": gate(false)})); err != nil {
		t.Fatal(err)
	}
	if left := kubectl(t, "get", "validatingwebhookconfigurations", gateConfiguration, "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("without the gate, %s is there", left)
	}
	create(t, "waits", "*.waits.example.com")
	eventually(t, "a challenge waits for its CNAME", func() bool {
		return strings.Contains(kubectl(t, "get", "challenges", "-n", "default", "-o", `jsonpath={.items[?(@.spec.dnsName=="waits.example.com")].status.reason}`), "CNAME")
	})
	names := []string{"waits"}
	for i := range 5 {
		name := fmt.Sprintf("flight-%d", i)
		setCNAME(t, name+".example.com")
		create(t, name, "*."+name+".example.com")
		names = append(names, name)
	}
	before := kubectl(t, "get", "pods", "-n", Namespace, "-l", replicas, "-o", "name")
	if err := helm(t).Upgrade(t.Context(), Release, c.Chart, map[string]any{"orderGate": gate(true)}); err != nil {
		t.Fatal(err)
	}
	if after := kubectl(t, "get", "pods", "-n", Namespace, "-l", replicas, "-o", "name"); after == before {
		t.Error("the upgrade has replaced no pod")
	}
	denied(t, "default", "waits", "waits.example.com")
	setCNAME(t, "waits.example.com")
	for _, name := range names {
		waitReady(t, name)
	}
}
