package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"time"
)

// entry is a file or, with a name that ends in a slash, a folder of an archive.
type entry struct {
	Name    string
	Mode    int64
	Content []byte
}

// writeTar writes entries in their order, all of root, from one moment.
func writeTar(to io.Writer, when time.Time, entries []entry) error {
	w := tar.NewWriter(to)
	for _, e := range entries {
		h := &tar.Header{Format: tar.FormatUSTAR, Typeflag: tar.TypeReg, Name: e.Name, Mode: e.Mode, Size: int64(len(e.Content)), ModTime: when}
		if e.Name[len(e.Name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(e.Content); err != nil {
			return err
		}
	}
	return w.Close()
}

func tarGz(when time.Time, entries []entry) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if err := writeTar(w, when, entries); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func zipped(when time.Time, entries []entry) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: when}
		h.SetMode(os.FileMode(e.Mode))
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// name is the archive's, as .krew.yaml has it.
func (p platform) name() string { return asset(p.OS, p.Arch) }

func (p platform) archive() string {
	if p.OS == "windows" {
		return p.name() + ".zip"
	}
	return p.name() + ".tar.gz"
}

// archive packs the program with what belongs to it.
func archive(f facts, p platform, binary string) ([]byte, error) {
	var entries []entry
	for _, name := range []string{"CHANGELOG.md", "LICENSE", "README.md"} {
		b, err := os.ReadFile(filepath.Join(f.Root, name))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name, 0o644, b})
	}
	b, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	entries = append(entries, entry{p.binary(), 0o755, b})
	if p.OS == "windows" {
		return zipped(f.Time, entries)
	}
	return tarGz(f.Time, entries)
}
