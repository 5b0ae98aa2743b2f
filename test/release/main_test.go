// Package release rehearses a release: what make release has made is pushed to a
// registry in the sandbox and signed by the targets that the workflow calls, and
// then installed from there, on a real node.
package release

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/signpost-acme/signpost/test/cluster"
	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/world"
)

const registryAddress = "127.0.0.1:5000"

// What the tests share.
var (
	c        *cluster.Cluster
	root     string // of the repository
	dist     string // what make release has made
	made     release
	registry *process.Process
)

// release is the part of dist/release.json that is looked at here.
type release struct {
	Version string
	Image   struct {
		Name, Digest string
		Platforms    []struct {
			Name string
			Size int64
		}
	}
	Chart struct{ Name, Digest string }
}

func TestMain(m *testing.M) {
	world.Main("release", m.Run, func(ctx context.Context, o world.Options) (stop func(), err error) {
		if root, err = filepath.Abs("../.."); err != nil {
			return nil, err
		}
		dist = filepath.Join(root, ".cache", "dist")
		b, err := os.ReadFile(filepath.Join(dist, "release.json"))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, &made); err != nil {
			return nil, err
		}
		if c, err = cluster.StartBare(ctx, root, o); err != nil {
			return nil, err
		}
		o.Step("starting a registry")
		registry = &process.Process{Name: "registry", Dir: o.Dir, Args: []string{
			filepath.Join(o.Bin, "release"), "registry", "-listen", registryAddress, "-dir", filepath.Join(o.Dir, "layers")}}
		stop = func() { registry.End(os.Interrupt); c.Stop() }
		err = registry.Start(nil)
		if err == nil {
			err = registry.Listens(ctx, registryAddress)
		}
		if err == nil {
			err = c.UseRegistry(registryAddress)
		}
		if err != nil {
			stop()
		}
		return stop, err
	})
}
