// Command bench measures, on this machine, and writes docs/benchmarks.md: the DNS
// server compared with others, how it grows with the number of names, and how
// long a certificate takes. Its argument names the part.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

// part is one part of the report.
type part struct {
	name, title string // without a title it is not part of the report
	measure     func(ctx context.Context, dir, bin string) (text string, err error)
}

var parts = []part{
	{"peers", "Answers, compared with other servers", compare},
	{"scale", "Many names, many changes", scale},
	{"ready", "From apply to Ready", ready},
	{"fleet", "A thousand domains that wait", fleet},
	{"reissue", "A thousand certificates at once", reissue},
	{"secondaries", "Answers by secondaries", secondaries},
	{"domains", "Ten thousand domains", manyDomains},
	{name: "profile", measure: profile},
}

func main() {
	sandbox.Main(world.Sandbox(), func() int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		for _, p := range parts {
			if len(os.Args) != 2 || os.Args[1] != p.name {
				continue
			}
			if err := run(ctx, p); err != nil {
				fmt.Fprintln(os.Stderr, "error:", err)
				return 1
			}
			return 0
		}
		fmt.Fprintln(os.Stderr, "usage: bench peers | scale | ready | fleet | reissue | secondaries | domains | profile")
		return 2
	})
}

func run(ctx context.Context, p part) error {
	bin, err := filepath.Abs("../.cache/bin")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "signpost-bench-")
	if err != nil {
		return err
	}
	begin := time.Now()
	text, err := p.measure(ctx, dir, bin)
	if err != nil {
		return fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	fmt.Printf("%s took %.0f s\n\n%s\n", p.name, time.Since(begin).Seconds(), text)
	if p.title == "" { // only to be looked at
		return os.RemoveAll(dir)
	}
	if err := save("../docs/benchmarks.md", p, text); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
