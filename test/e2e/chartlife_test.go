package e2e

import (
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// Helm installs, upgrades and removes the chart on a real API server. What runs
// in pods is not seen here; that every object is taken, that the generated
// password is kept, and that nothing is left, is.
func TestChartLife(t *testing.T) {
	const namespace, release = "chart-life", "life"
	if err := w.Namespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(false)
	ns := namespace
	flags.KubeConfig, flags.Namespace = &w.Kubeconfig, &ns
	config := new(action.Configuration)
	if err := config.Init(flags, namespace, "secret", t.Logf); err != nil {
		t.Fatal(err)
	}
	c, err := loader.Load("../../charts/signpost")
	if err != nil {
		t.Fatal(err)
	}
	password := func() string {
		s, err := w.Kube.CoreV1().Secrets(namespace).Get(t.Context(), "life-signpost-valkey", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Data["redis-password"])
	}
	ours := func() string {
		out, err := w.Kubectl(t.Context(), "", "get", "--all-namespaces", "--selector", "app.kubernetes.io/instance="+release, "--output", "name",
			"apiservices,clusterroles,clusterrolebindings,roles,rolebindings,clusterissuers,issuers,certificates,deployments,services,secrets,serviceaccounts,configmaps,persistentvolumeclaims,poddisruptionbudgets,networkpolicies")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}

	install := action.NewInstall(config)
	install.ReleaseName, install.Namespace = release, namespace
	// Nothing but what the documentation says has to be set, and no job at the end: no pod runs here.
	r, err := install.RunWithContext(t.Context(), c, map[string]any{"zone": "life.example.org", "issuer": map[string]any{"email": "me@example.com", "name": "life"},
		"endChallenges": map[string]any{"enabled": false}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.Info.Notes, "life.example.org.  NS    ns-life.example.org.") {
		t.Errorf("the notes are\n%s", r.Info.Notes)
	}
	if n := len(strings.Fields(ours())); n < 20 {
		t.Errorf("only %d objects:\n%s", n, ours())
	}
	before := password()

	upgrade := action.NewUpgrade(config)
	upgrade.Namespace, upgrade.ReuseValues = namespace, true
	if _, err := upgrade.RunWithContext(t.Context(), release, c, map[string]any{"log": map[string]any{"level": "debug"}}); err != nil {
		t.Fatal(err)
	}
	if password() != before {
		t.Error("the upgrade has changed the password")
	}

	if _, err := action.NewUninstall(config).Run(release); err != nil {
		t.Fatal(err)
	}
	if left := ours(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
