package world

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

const pauseImage = "sandbox/pause:1"

// Image is a container image made of files of this machine.
type Image struct {
	Name       string            // as a pod names it
	Files      map[string]string // path in the image to the file here
	Texts      map[string]string // path in the image to what is in it
	Entrypoint []string
	User       string // number:number
}

// Import makes the image known to the node.
func (w *World) Import(ctx context.Context, i Image) error {
	archive, err := i.archive()
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	return w.ctr(ctx, archive, "image", "import", "-")
}

func (w *World) importPause(ctx context.Context) error {
	return w.Import(ctx, Image{Name: pauseImage, Files: map[string]string{"pause": w.tool("pause")}, Entrypoint: []string{"/pause"}, User: "65535:65535"})
}

// archive returns the image in the form of "docker save": one layer, its
// configuration, and a manifest.
func (i Image) archive() ([]byte, error) {
	named, err := reference.ParseNormalizedNamed(i.Name)
	if err != nil {
		return nil, err
	}
	layer, err := i.layer()
	if err != nil {
		return nil, err
	}
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": i.Entrypoint, "User": i.User, "Env": []string{"PATH=/usr/local/bin:/usr/bin:/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum(layer)}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": sum(config) + ".json", "RepoTags": []string{named.String()}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name    string
		content []byte
	}{{"layer.tar", layer}, {sum(config) + ".json", config}, {"manifest.json", manifest}} {
		if err := add(w, f.name, 0o644, f.content); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

func (i Image) layer() ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for to, from := range i.Files {
		content, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		if err := add(w, to, 0o755, content); err != nil {
			return nil, err
		}
	}
	for to, text := range i.Texts {
		if err := add(w, to, 0o644, []byte(text)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

func add(w *tar.Writer, name string, mode int64, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

var libraries = regexp.MustCompile(`(/\S+) \(0x`)

// WithLibraries returns the files of a program of this machine and of the shared
// libraries that it needs, for Image.Files.
func WithLibraries(program, to string) (map[string]string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	out, err := exec.Command("ldd", path).CombinedOutput()
	if err != nil {
		return nil, errors.Join(err, errors.New(string(out)))
	}
	files := map[string]string{strings.TrimPrefix(to, "/"): path}
	for _, m := range libraries.FindAllStringSubmatch(string(out), -1) {
		files[strings.TrimPrefix(m[1], "/")] = m[1]
	}
	if !slices.ContainsFunc(libraries.FindAllString(string(out), -1), func(s string) bool { return strings.Contains(s, "libc.") }) {
		return nil, fmt.Errorf("ldd %s: no C library in %q", path, out)
	}
	return files, nil
}
