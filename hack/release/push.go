package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// destination is where a release is, or is going to be.
type destination struct {
	dist, registry string
	result         *result
}

func (d *destination) flags(f *flag.FlagSet) {
	f.StringVar(&d.dist, "dist", "dist", "the release's folder")
	f.StringVar(&d.registry, "registry", "", "host of the registry; that of the image's name, if empty")
}

func (d *destination) parse(f *flag.FlagSet, args []string) (err error) {
	if err := f.Parse(args); err != nil {
		return err
	}
	d.result, err = readResult(d.dist)
	if err != nil {
		return err
	}
	if host, _ := repositoryOf(d.result.Image.Name); host == "" && d.registry == "" {
		return errors.New("no registry is named: set REGISTRY to the host that image and chart go to")
	}
	return nil
}

// at returns a name of the release in the registry.
func (d *destination) at(named string) string {
	if d.registry == "" {
		return named
	}
	_, path := repositoryOf(named)
	return d.registry + "/" + path
}

// byDigest returns the name with a digest instead of a tag.
func (d *destination) byDigest(named, digest string) string {
	named = d.at(named)
	return named[:strings.LastIndex(named, ":")] + "@" + digest
}

func (d *destination) image() string { return d.byDigest(d.result.Image.Name, d.result.Image.Digest) }

func (d *destination) chart() string { return d.byDigest(d.result.Chart.Name, d.result.Chart.Digest) }

func pushCommand(ctx context.Context, args []string) error {
	var d destination
	f := flag.NewFlagSet("push", flag.ContinueOnError)
	d.flags(f)
	if err := d.parse(f, args); err != nil {
		return err
	}
	r := d.result
	for _, part := range []struct {
		dir, name, digest string
		once              bool
	}{
		{"image", r.Image.Name, r.Image.Digest, true}, {"chart", r.Chart.Name, r.Chart.Digest, true},
		{"artifacthub", r.Hub.Name, r.Hub.Digest, false},
	} {
		what, err := readLayout(filepath.Join(d.dist, part.dir), part.digest)
		if err != nil {
			return err
		}
		if err := push(ctx, d.at(part.name), what, part.once); err != nil {
			return err
		}
	}
	return nil
}

// push pushes under a tag, without changing a byte. With once, a tag that is there
// already, for something else, is refused: a version is released once.
func push(ctx context.Context, to string, what remote.Taggable, once bool) error {
	ref, err := name.NewTag(to)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	digest, err := what.(interface{ Digest() (v1.Hash, error) }).Digest()
	if err != nil {
		return err
	}
	if there, err := remote.Head(ref, options...); once && err == nil && there.Digest != digest {
		return fmt.Errorf("%s is there already, as %s: a version is released once, so choose the next one", ref, there.Digest)
	}
	switch what := what.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(ref, what, options...)
	case v1.Image:
		err = remote.Write(ref, what, options...)
	}
	if err != nil {
		return fmt.Errorf("%s could not be pushed: %w", ref, err)
	}
	fmt.Printf("pushed   %s@%s\n", ref, digest)
	return nil
}

// readLayout reads the one thing in an OCI layout, with all its files.
func readLayout(dir, digest string) (remote.Taggable, error) {
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%s is no OCI layout: make release makes one (%w)", dir, err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return nil, err
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range m.Manifests {
		if d.Digest == hash && d.MediaType.IsIndex() {
			return index.ImageIndex(hash)
		} else if d.Digest == hash {
			return index.Image(hash)
		}
	}
	return nil, fmt.Errorf("%s has no %s", dir, digest)
}

// loadCommand pushes the image of a docker archive.
func loadCommand(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: release load <archive> <name of the image, with registry and tag>")
	}
	image, err := tarball.ImageFromPath(args[0], nil)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return push(ctx, args[1], image, false)
}
