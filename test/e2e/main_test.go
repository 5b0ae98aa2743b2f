// Package e2e issues certificates for real and looks at them.
package e2e

import (
	"context"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

// w is the world that the tests share. Each test uses names of its own.
var w *world.World

func TestMain(m *testing.M) {
	world.Main("e2e", m.Run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		o.Replicas = 2
		if w, err = world.Start(ctx, o); err != nil {
			return nil, err
		}
		return w.Stop, nil
	})
}
