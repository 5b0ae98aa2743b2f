package world

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/signpost-acme/signpost/test/sandbox"
)

// startTimeout is how long a world may take to start.
const startTimeout = 5 * time.Minute

// Main is what a TestMain calls: it runs the tests of a package, in test/<name>,
// inside a sandbox with what start starts from the options, and ends the process.
// What start returns ends it again. Logs are kept if a test fails, or with
// KEEP_LOGS=1.
func Main(name string, run func() int, start func(ctx context.Context, o Options) (stop func(), err error)) {
	sandbox.Main(Sandbox(), func() int {
		code, err := runTests(name, run, start)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return code
	})
}

func runTests(name string, run func() int, start func(context.Context, Options) (func(), error)) (int, error) {
	dir, err := os.MkdirTemp("", "signpost-"+name+"-")
	if err != nil {
		return 1, err
	}
	bin, err := filepath.Abs(cmp.Or(os.Getenv("SIGNPOST_TEST_BIN"), "../../.cache/bin")) // hack/compatibility has others
	if err != nil {
		return 1, err
	}
	begin := time.Now()
	step := func(format string, args ...any) {
		fmt.Printf("%5.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	stop, err := start(ctx, Options{Dir: dir, Bin: bin, Step: step})
	if err != nil {
		return 1, fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	step("everything runs")
	code := run()
	stop()
	if code != 0 || os.Getenv("KEEP_LOGS") != "" {
		fmt.Println("logs are in", dir)
		return code, nil
	}
	return code, os.RemoveAll(dir)
}
