package cluster

import (
	"context"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// patience is how long Helm waits for pods.
const patience = 3 * time.Minute

// Helm is Helm, for one namespace.
type Helm struct {
	config    *action.Configuration
	namespace string
}

// Helm returns Helm as an administrator has it.
func (c *Cluster) Helm(namespace string) (*Helm, error) {
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &c.Kubeconfig, &namespace
	config := new(action.Configuration)
	return &Helm{config: config, namespace: namespace}, config.Init(flags, namespace, "secret", func(string, ...any) {})
}

// Install is "helm install --wait --create-namespace".
func (h *Helm) Install(ctx context.Context, name, dir string, values map[string]any) (*release.Release, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(h.config)
	install.ReleaseName, install.Namespace, install.CreateNamespace = name, h.namespace, true
	install.Wait, install.Timeout = true, patience
	return install.RunWithContext(ctx, chart, values)
}

// Upgrade is "helm upgrade --wait --reuse-values".
func (h *Helm) Upgrade(ctx context.Context, name, dir string, values map[string]any) error {
	chart, err := loader.Load(dir)
	if err != nil {
		return err
	}
	upgrade := h.upgrade()
	upgrade.ReuseValues = true
	_, err = upgrade.RunWithContext(ctx, name, chart, values)
	return err
}

// Reset is "helm upgrade --wait --reset-values", with a chart that has other defaults.
func (h *Helm) Reset(ctx context.Context, name, dir string, defaults, values map[string]any) error {
	chart, err := loader.Load(dir)
	if err != nil {
		return err
	}
	chart.Values = defaults
	upgrade := h.upgrade()
	upgrade.ResetValues = true
	_, err = upgrade.RunWithContext(ctx, name, chart, values)
	return err
}

func (h *Helm) upgrade() *action.Upgrade {
	upgrade := action.NewUpgrade(h.config)
	upgrade.Namespace, upgrade.Wait, upgrade.Timeout = h.namespace, true, patience
	return upgrade
}

// Uninstall is "helm uninstall --wait".
func (h *Helm) Uninstall(name string) error {
	uninstall := action.NewUninstall(h.config)
	uninstall.Wait, uninstall.Timeout = true, patience
	_, err := uninstall.Run(name)
	return err
}

// Test is "helm test". The pod of a test that succeeds is gone afterwards.
func (h *Helm) Test(name string) error {
	test := action.NewReleaseTesting(h.config)
	test.Namespace, test.Timeout = h.namespace, patience
	_, err := test.Run(name)
	return err
}

// defaults are the images that our chart names by itself.
type defaults struct{ signpost, valkey string }

func chartDefaults(dir string) (d defaults, err error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return d, err
	}
	image := func(defaultTag string, path string) string {
		values, pathErr := chartutil.Values(chart.Values).Table(path)
		if pathErr != nil {
			err = pathErr
			return ""
		}
		tag := values["tag"]
		if tag == "" {
			tag = defaultTag
		}
		return fmt.Sprintf("%v:%v", values["repository"], tag)
	}
	return defaults{signpost: image(chart.Metadata.AppVersion, "image"), valkey: image("", "redis.bundled.image")}, err
}
