// Package faults breaks what Signpost depends on, and Signpost itself, and looks
// at what is answered meanwhile and afterwards. Everything is a real process: the
// Kubernetes API server, redis-server, signpost serve. The tests do the part of
// cert-manager: they make the Challenges and call the webhook.
package faults

import (
	"context"
	"flag"
	"testing"

	"github.com/signpost-acme/signpost/test/world"
)

var (
	update = flag.Bool("update", false, "write what was seen and measured into docs/reliability.md")

	w     *world.World // what all stages share: the control plane
	token string       // cert-manager's
)

func TestMain(m *testing.M) {
	run := func() int {
		flag.Parse()
		if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
			_ = flag.Set("test.parallel", "6") // faults are mostly waited for
		}
		return m.Run()
	}
	world.Main("faults", run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		o.Replicas, o.NoCertManager = 1, true
		if w, err = world.Start(ctx, o); err != nil {
			return nil, err
		}
		token, err = beCertManager(ctx)
		return w.Stop, err
	})
}
