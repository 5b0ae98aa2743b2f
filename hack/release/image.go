package main

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// labels are those of the image. These, and all of this file, say the same as the
// Dockerfile; a test compares them.
func labels(version string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "signpost",
		"org.opencontainers.image.description": "A cert-manager DNS-01 webhook solver with its own DNS server",
		"org.opencontainers.image.source":      "https://github.com/signpost-acme/signpost",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     version,
	}
}

// imageConfig is how the image is run.
func imageConfig(version string) v1.Config {
	return v1.Config{
		User:         "65532:65532",
		Entrypoint:   []string{"/signpost"},
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, // as BuildKit has it
		WorkingDir:   "/",
		ExposedPorts: map[string]struct{}{"1053/udp": {}, "1053/tcp": {}, "8443/tcp": {}, "8080/tcp": {}},
		Labels:       labels(version),
	}
}

// imageFiles are the files of the image.
func imageFiles(binary []byte) []entry {
	return []entry{
		{"etc/", 0o755, nil},
		{"etc/group", 0o644, []byte("nonroot:x:65532:\n")},
		{"etc/passwd", 0o644, []byte("nonroot:x:65532:65532:nonroot:/:/nonexistent\n")},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, authorities()},
		{"signpost", 0o755, binary},
	}
}

// authorities are the public CAs, as Mozilla has them, from a module whose
// version go.sum fixes: the machine's own differ from one to the next. A CA that
// is trusted only for certificates from before some day is left out, because a
// file cannot say that.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // to memory
		}
	}
	return b.Bytes()
}

// imageFor makes the image of one platform.
func imageFor(f facts, p platform, binary string) (v1.Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	// As in the Dockerfile, files are from no time: a layer that has not changed
	// keeps its digest.
	if err := writeTar(&b, time.Unix(0, 0), imageFiles(program)); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression))
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: f.Time}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS: p.OS, Architecture: p.Arch, Created: created, Config: imageConfig(f.Version), RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "hack/release"}})
}

// imageIndex makes the image of all platforms.
func imageIndex(f facts, platforms []platform, images []v1.Image) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, p := range platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: images[i], Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch}},
		})
	}
	annotations := labels(f.Version)
	annotations["org.opencontainers.image.revision"] = f.Commit
	annotations["org.opencontainers.image.created"] = f.Time.Format(time.RFC3339)
	return mutate.Annotations(index, annotations).(v1.ImageIndex)
}

// writeLayout writes one image, of one or many platforms, as an OCI layout.
func writeLayout(dir string, what mutate.Appendable, name string) error {
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name})
	switch what := what.(type) {
	case v1.ImageIndex:
		return path.AppendIndex(what, named)
	case v1.Image:
		return path.AppendImage(what, named)
	}
	return fmt.Errorf("%s: %T is no image", name, what)
}

// compressedSize is what is fetched to run an image.
func compressedSize(image v1.Image) (int64, error) {
	m, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := m.Config.Size
	for _, l := range m.Layers {
		size += l.Size
	}
	return size, nil
}

// repositoryOf splits an image's repository into host, if any, and path.
func repositoryOf(repository string) (host, path string) {
	first, rest, ok := strings.Cut(repository, "/")
	if ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return first, rest
	}
	return "", repository
}
