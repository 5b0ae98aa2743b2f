package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	f.StringVar(&o.variable, "version-variable", "main.version", "the program's variable for its version")
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
	authorities, err := ownModule(authoritiesModule)
	if err != nil {
		return nil, err
	}
	finish, err := replace(&o.out)
	if err != nil {
		return nil, err
	}
	defer finish(false)
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
		return errors.Join(os.RemoveAll(old), os.Chmod(fresh, 0o755), os.Rename(fresh, old)) //nolint:gosec // it is read by all
	}, nil
}

// maker makes the parts of a release and writes them into the folder.
type maker struct {
	facts   facts
	options buildOptions
	result  *result
	sums    map[string]string // of every file that checksums.txt has
}

func (m *maker) write(name string, content []byte) error {
	m.sums[name] = sum(content)
	return os.WriteFile(filepath.Join(m.options.out, name), content, 0o644)
}

func (m *maker) archive(p platform, binary string) error {
	content, err := archive(m.facts, p, binary)
	if err != nil {
		return err
	}
	if err := m.write(p.archive(), content); err != nil {
		return err
	}
	m.result.Archives = append(m.result.Archives, file{p.archive(), "sha256:" + sum(content), int64(len(content))})
	bom, err := sbom(m.facts, what{Name: p.archive(), SHA256: sum(content),
		PURL: fmt.Sprintf("pkg:github/signpost-acme/signpost@v%s#%s", m.facts.Version, p.archive())}, binary)
	if err != nil {
		return err
	}
	return m.write(p.archive()+".spdx.json", bom)
}

func (m *maker) image(platforms []platform, binary func(platform) string, authorities module) error {
	if len(platforms) == 0 {
		return errors.New("an image needs a linux platform: add linux/amd64")
	}
	var images []v1.Image
	for _, p := range platforms {
		image, err := imageFor(m.facts, p, binary(p))
		if err != nil {
			return err
		}
		digest, err := image.Digest()
		if err != nil {
			return err
		}
		size, err := compressedSize(image)
		if err != nil {
			return err
		}
		images = append(images, image)
		repository := m.options.repository
		bom, err := sbom(m.facts, what{Name: "signpost_image_" + p.Arch, SHA256: digest.Hex, Extra: []module{authorities},
			PURL: fmt.Sprintf("pkg:oci/%s@%s?arch=%s&repository_url=%s&tag=%s", path.Base(repository), digest, p.Arch, repository, m.facts.Version)}, binary(p))
		if err != nil {
			return err
		}
		if err := m.write(sbomOfImage(p.Arch), bom); err != nil {
			return err
		}
		m.result.Image.Platforms = append(m.result.Image.Platforms, file{p.String(), digest.String(), size})
	}
	index := imageIndex(m.facts, platforms, images)
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	m.result.Image.Name, m.result.Image.Digest = m.options.repository+":"+m.facts.Version, digest.String()
	return writeLayout(filepath.Join(m.options.out, "image"), index, m.result.Image.Name)
}

func sbomOfImage(arch string) string { return "signpost_image_" + arch + ".spdx.json" }

// rest makes what depends on the digests of image and archives.
func (m *maker) rest(all bool) error {
	f, r := m.facts, m.result
	tgz, meta, err := packChart(f, m.options.repository, r.Image.Digest)
	if err != nil {
		return err
	}
	r.Chart.File = "signpost-" + f.Version + ".tgz"
	if err := m.write(r.Chart.File, tgz); err != nil {
		return err
	}
	chart, err := chartArtifact(f, tgz, meta)
	if err != nil {
		return err
	}
	digest, err := chart.Digest()
	if err != nil {
		return err
	}
	host, base := repositoryOf(m.options.repository)
	r.Chart.Name = path.Join(host, chartRepository(base)) + ":" + f.Version
	r.Chart.Digest, r.Chart.Size = digest.String(), int64(len(tgz))
	if err := writeLayout(filepath.Join(m.options.out, "chart"), chart, r.Chart.Name); err != nil {
		return err
	}
	if all { // krew wants every archive
		manifest, err := krew(f, m.sums)
		if err != nil {
			return err
		}
		if err := m.write("krew.yaml", []byte(manifest)); err != nil {
			return err
		}
	}
	return m.papers()
}

// chartRepository is where the chart of an image goes: beside it, in charts.
func chartRepository(image string) string { return path.Join(path.Dir(image), "charts", "signpost") }

// papers writes what is about the files: checksums, notes, provenance, result.
func (m *maker) papers() error {
	origin, err := provenance(m.facts, m.options)
	if err != nil {
		return err
	}
	result, err := m.result.json()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"checksums.txt":   checksums(m.sums),
		"notes.md":        []byte(releaseNotes(m.facts, m.result)),
		"provenance.json": origin, // names who built, so it is not in the checksums
		resultFile:        result,
	} {
		if err := os.WriteFile(filepath.Join(m.options.out, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
