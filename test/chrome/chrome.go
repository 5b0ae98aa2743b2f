// Package chrome starts a real browser for tests.
package chrome

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/chromedp/chromedp"
)

// Start starts Chromium, headless, with nothing in it from before. Contexts that
// chromedp makes of ctx are its tabs. stop ends it, and waits for that. A browser
// that is missing is an error that says how to get it.
func Start() (ctx context.Context, stop func(), err error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		program, err = exec.LookPath("google-chrome")
	}
	if err != nil {
		return nil, nil, errors.New("chromium is missing: run hack/setup test, or on Debian and Ubuntu: apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "signpost-browser-")
	if err != nil {
		return nil, nil, err
	}
	options := slices.Clone(chromedp.DefaultExecAllocatorOptions[:])
	options = append(options, chromedp.ExecPath(program), chromedp.UserDataDir(dir))
	for _, flag := range []string{"no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stop = func() {
		cancel()
		end() // and waits
		os.RemoveAll(dir)
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("chromium does not start: %w", err)
	}
	return ctx, stop, nil
}
