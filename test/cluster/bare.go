package cluster

import (
	"context"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/signpost-acme/signpost/test/world"
)

// StartBare starts a cluster that has cert-manager's images alone.
func StartBare(ctx context.Context, root string, o world.Options) (*Cluster, error) {
	return start(ctx, root, o, func(*Cluster) ([]world.Image, error) { return nil, nil })
}

// ValkeyName is the image of Valkey that our chart names.
func (c *Cluster) ValkeyName() (string, error) {
	d, err := chartDefaults(c.Chart)
	return d.valkey, err
}

// BeginUpgrade is "helm upgrade --values": it does not wait, and takes values from
// nowhere else.
func (h *Helm) BeginUpgrade(ctx context.Context, name, chart string, values map[string]any) error {
	loaded, err := loader.Load(chart)
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(h.config)
	upgrade.Namespace, upgrade.ResetValues, upgrade.Timeout = h.namespace, true, patience
	_, err = upgrade.RunWithContext(ctx, name, loaded, values)
	return err
}
