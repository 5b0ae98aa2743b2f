package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

// c is the cluster that the tests share.
var c *Cluster

func TestMain(m *testing.M) {
	sandbox.Main(world.Sandbox(), func() int {
		code, err := withCluster(m.Run)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return code
	})
}

func withCluster(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "signpost-cluster-")
	if err != nil {
		return 1, err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	begin := time.Now()
	c, err = Start(ctx, root, world.Options{Dir: dir, Bin: filepath.Join(root, ".cache/bin"), Step: func(format string, args ...any) {
		fmt.Printf("%5.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}})
	if err != nil {
		return 1, fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	fmt.Printf("%5.1fs  everything runs\n", time.Since(begin).Seconds())
	code := run()
	c.Stop()
	if code != 0 || os.Getenv("KEEP_LOGS") != "" {
		fmt.Println("logs are in", dir)
		return code, nil
	}
	return code, os.RemoveAll(dir)
}
