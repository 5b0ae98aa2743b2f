package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v3/pkg/chart"
)

// Media types: Helm's of a chart, and Artifact Hub's of what says whose it is.
const (
	chartConfig = "application/vnd.cncf.helm.config.v1+json"
	chartLayer  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	hubConfig   = "application/vnd.cncf.artifacthub.config.v1+yaml"
	hubLayer    = "application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml"
)

// artifact is what a registry keeps that is no container: one file and a
// configuration.
type artifact struct {
	file             v1.Layer
	manifest, config []byte
}

// chartArtifact is the chart as helm push puts it into a registry.
func chartArtifact(f facts, tgz []byte, meta *chart.Metadata) (v1.Image, error) {
	config, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	return newArtifact(config, chartConfig, tgz, chartLayer, map[string]string{
		"org.opencontainers.image.title":       meta.Name,
		"org.opencontainers.image.version":     meta.Version,
		"org.opencontainers.image.description": meta.Description,
		"org.opencontainers.image.url":         meta.Home,
		"org.opencontainers.image.source":      meta.Home,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.revision":    f.Commit,
		"org.opencontainers.image.created":     f.Time.Format(time.RFC3339),
	})
}

// hubArtifact is artifacthub-repo.yml, as Artifact Hub looks for it beside a chart.
func hubArtifact(f facts) (v1.Image, error) {
	text, err := os.ReadFile(filepath.Join(f.Root, "artifacthub-repo.yml"))
	if err != nil {
		return nil, err
	}
	return newArtifact([]byte("{}"), hubConfig, text, hubLayer, nil)
}

func newArtifact(config []byte, configType types.MediaType, content []byte, contentType types.MediaType, annotations map[string]string) (v1.Image, error) {
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: annotations,
		Config: descriptor(config, configType), Layers: []v1.Descriptor{descriptor(content, contentType)},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(&artifact{file: static.NewLayer(content, contentType), config: config, manifest: manifest})
}

func descriptor(content []byte, media types.MediaType) v1.Descriptor {
	hash, size, _ := v1.SHA256(bytes.NewReader(content)) // reading memory does not fail
	return v1.Descriptor{MediaType: media, Digest: hash, Size: size}
}

func (a *artifact) RawConfigFile() ([]byte, error) { return a.config, nil }

func (a *artifact) RawManifest() ([]byte, error) { return a.manifest, nil }

func (a *artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (a *artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if h == descriptor(a.config, chartConfig).Digest {
		return partial.ConfigLayer(a)
	}
	return a.file, nil
}
