// Command release makes and publishes a release of Signpost: archives, image,
// chart, SBOMs, the krew manifest and the notes. The Makefile calls it, and the
// workflow calls the Makefile. docs/releasing.md says what a person does.
//
// What it makes depends only on the commit, the version, and the versions of Go
// and of the modules: two runs in two folders give the same bytes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

const usage = `usage: release <command> [flags]

  build     make everything into a folder
  registry  serve an empty registry, for a rehearsal
  push      push image and chart to a registry
  load      push an image that is in a docker archive
  sign      sign image and chart, attach SBOM and provenance, sign the checksums
  verify    verify all signatures and attestations
  report    say in a few lines what was made`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{
		"build": buildCommand, "registry": registryCommand, "push": pushCommand, "load": loadCommand,
		"sign": signCommand, "verify": verifyCommand, "report": reportCommand,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New(usage)
	}
	return commands[args[0]](ctx, args[1:])
}
