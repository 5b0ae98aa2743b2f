// Package faults breaks what Signpost depends on, and Signpost itself, and looks
// at what is answered meanwhile and afterwards. Everything is a real process: the
// Kubernetes API server, redis-server, signpost serve. The tests do the part of
// cert-manager: they make the Challenges and call the webhook.
package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

var (
	update = flag.Bool("update", false, "write what was seen and measured into docs/reliability.md")

	w     *world.World // what all stages share: the control plane
	token string       // cert-manager's
)

func TestMain(m *testing.M) {
	sandbox.Main(world.Sandbox(), func() int {
		flag.Parse()
		if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
			_ = flag.Set("test.parallel", "6") // faults are mostly waited for
		}
		code, err := withWorld(m.Run)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return code
	})
}

func withWorld(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "signpost-faults-")
	if err != nil {
		return 1, err
	}
	bin, err := filepath.Abs("../../.cache/bin")
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	w, err = world.Start(ctx, world.Options{Dir: dir, Bin: bin, Replicas: 1, NoCertManager: true})
	if err == nil {
		token, err = beCertManager(ctx)
	}
	if err != nil {
		return 1, fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	code := run()
	w.Stop()
	if code != 0 || os.Getenv("KEEP_LOGS") != "" {
		fmt.Println("logs are in", dir)
		return code, nil
	}
	return code, os.RemoveAll(dir)
}
