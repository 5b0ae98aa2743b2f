package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type buildOptions struct {
	root, out, version, variable, repository string
	platforms                                string
}

const allPlatforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

func buildCommand(ctx context.Context, args []string) error {
	var o buildOptions
	f := flag.NewFlagSet("build", flag.ContinueOnError)
	f.StringVar(&o.root, "root", ".", "the repository")
	f.StringVar(&o.out, "out", "dist", "where everything goes; what is there is removed")
	f.StringVar(&o.version, "version", "", "v1.2.3; a snapshot of the tree, if empty")
	f.StringVar(&o.variable, "version-variable", "", "the program's variable for its version, as the Makefile has it")
	f.StringVar(&o.repository, "repository", "signpost-acme/signpost", "the image's repository, as the chart names it")
	f.StringVar(&o.platforms, "platforms", allPlatforms, "which archives to make")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := build(ctx, o)
	if err != nil {
		return err
	}
	fmt.Print(r)
	return nil
}

// build makes everything. Whatever can be wrong with its input is found before
// anything is built or removed.
func build(ctx context.Context, o buildOptions) (*result, error) {
	f, err := look(o.root, o.version)
	if err != nil {
		return nil, err
	}
	platforms, err := parsePlatforms(o.platforms)
	if err != nil {
		return nil, err
	}
	if o.variable == "" {
		return nil, errors.New("-version-variable is missing: make release sets it")
	}
	authorities, err := ownModule(authoritiesModule)
	if err != nil {
		return nil, err
	}
	finish, err := replace(&o.out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = finish(false) }() // after finish(true) there is nothing left to remove
	m := &maker{facts: f, options: o, result: &result{Version: f.Version, Commit: f.Commit}, sums: map[string]string{}}
	tmp, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	binary := func(p platform) string { return filepath.Join(tmp, p.name(), p.binary()) }
	var containers []platform
	for _, p := range platforms {
		fmt.Fprintf(os.Stderr, "building signpost %s for %s\n", f.Version, p)
		if err := compile(ctx, f.Root, o.variable, f.Version, p, binary(p)); err != nil {
			return nil, err
		}
		if err := m.archive(p, binary(p)); err != nil {
			return nil, err
		}
		if p.OS == "linux" {
			containers = append(containers, p)
		}
	}
	if err := m.image(containers, binary, authorities); err != nil {
		return nil, err
	}
	if err := m.rest(len(platforms) == strings.Count(allPlatforms, ",")+1); err != nil {
		return nil, err
	}
	return m.result, finish(true)
}

// replace points dir at a new folder beside it. What it returns puts the new one
// in the place of the old one, or removes it. Only an earlier release is replaced.
func replace(dir *string) (finish func(bool) error, err error) {
	old := *dir
	entries, err := os.ReadDir(old)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(old, resultFile)); err != nil {
			return nil, fmt.Errorf("%s has files that are no earlier release: remove them, or choose another folder", old)
		}
	}
	parent := filepath.Dir(filepath.Clean(old))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	fresh, err := os.MkdirTemp(parent, ".release-")
	if err != nil {
		return nil, err
	}
	*dir = fresh
	return func(good bool) error {
		if !good {
			return os.RemoveAll(fresh)
		}
		return errors.Join(os.RemoveAll(old), os.Chmod(fresh, 0o755), os.Rename(fresh, old))
	}, nil
}
