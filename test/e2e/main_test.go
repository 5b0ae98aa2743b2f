// Package e2e issues certificates for real and looks at them.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

// w is the world that the tests share. Each test uses names of its own.
var w *world.World

var zones *zone.Zone

func TestMain(m *testing.M) {
	sandbox.Main(world.Sandbox(), func() int {
		code, err := withWorld(m.Run)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return code
	})
}

func withWorld(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "signpost-e2e-")
	if err != nil {
		return 1, err
	}
	bin, err := filepath.Abs("../../.cache/bin")
	if err != nil {
		return 1, err
	}
	if zones, err = zone.New(world.Zone); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	begin := time.Now()
	w, err = world.Start(ctx, world.Options{Dir: dir, Bin: bin, Replicas: 2, Step: func(format string, args ...any) {
		fmt.Printf("%5.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}})
	if err != nil {
		return 1, fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	fmt.Printf("%5.1fs  everything runs\n", time.Since(begin).Seconds())
	code := run()
	w.Stop()
	if code != 0 || os.Getenv("KEEP_LOGS") != "" {
		fmt.Println("logs are in", dir)
		return code, nil
	}
	return code, os.RemoveAll(dir)
}
