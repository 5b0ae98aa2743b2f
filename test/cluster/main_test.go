package cluster

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

// c is the cluster that the tests share.
var c *Cluster

func TestMain(m *testing.M) {
	world.Main("cluster", m.Run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		root, err := filepath.Abs("../..")
		if err != nil {
			return nil, err
		}
		if c, err = Start(ctx, root, o); err != nil {
			return nil, err
		}
		return c.Stop, nil
	})
}
