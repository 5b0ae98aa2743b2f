// Package hidden has Signpost as a hidden primary: the CA reaches nothing but
// secondaries, of two kinds, which transfer the zone.
package hidden

import (
	"context"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

// w is what the tests share.
var w *world.World

func TestMain(m *testing.M) {
	world.Main("hidden", m.Run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		o.Replicas, o.Secondaries = 2, []string{"nsd", "knot"}
		if w, err = world.Start(ctx, o); err != nil {
			return nil, err
		}
		return w.Stop, nil
	})
}
