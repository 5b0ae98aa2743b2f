// Package twoclusters has two Kubernetes clusters issue for one domain.
package twoclusters

import (
	"context"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

// first and second are the clusters. They share the zone, Redis and the CA; the
// nameservers of the zone are replicas of the first.
var first, second *world.World

func TestMain(m *testing.M) {
	world.Main("twoclusters", m.Run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		o.Replicas = 2
		if first, err = world.Start(ctx, o); err != nil {
			return nil, err
		}
		if second, err = first.Second(ctx); err != nil {
			first.Stop()
			return nil, err
		}
		return func() { second.Stop(); first.Stop() }, nil
	})
}
