package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

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
		bom, err := sbom(m.facts, what{Name: asset("image", p.Arch), SHA256: digest.Hex, Extra: []module{authorities},
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

func sbomOfImage(arch string) string { return asset("image", arch) + ".spdx.json" }

// asset is how a file of the release begins.
func asset(parts ...string) string { return "signpost_" + strings.Join(parts, "_") }

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
	hub, err := hubArtifact(f)
	if err != nil {
		return err
	}
	r.Hub.Name = path.Join(host, chartRepository(base)) + ":artifacthub.io"
	if digest, err = hub.Digest(); err != nil {
		return err
	}
	r.Hub.Digest = digest.String()
	if err := writeLayout(filepath.Join(m.options.out, "artifacthub"), hub, r.Hub.Name); err != nil {
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
