package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// resultFile says what is in a release's folder.
const resultFile = "release.json"

// result is what was made.
type result struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Archives []file `json:"archives"`
	Image    struct {
		Name      string `json:"name"`
		Digest    string `json:"digest"`
		Platforms []file `json:"platforms"`
	} `json:"image"`
	Chart struct {
		File   string `json:"file"`
		Name   string `json:"name"`
		Digest string `json:"digest"`
		Size   int64  `json:"size"`
	} `json:"chart"`
	Hub struct {
		Name   string `json:"name"`
		Digest string `json:"digest"`
	} `json:"artifactHub"`
}

type file struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

func (r *result) json() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", " ")
	return append(b, '\n'), err
}

// readResult reads what is in a release's folder.
func readResult(dir string) (*result, error) {
	b, err := os.ReadFile(filepath.Join(dir, resultFile))
	if err != nil {
		return nil, fmt.Errorf("%s is no release: make release makes one (%w)", dir, err)
	}
	r := new(result)
	return r, json.Unmarshal(b, r)
}

func reportCommand(_ context.Context, args []string) error {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	dist := f.String("dist", "dist", "a release's folder")
	if err := f.Parse(args); err != nil {
		return err
	}
	r, err := readResult(*dist)
	if err == nil {
		fmt.Print(r)
	}
	return err
}

// String says in a few lines what was made.
func (r *result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "signpost %s of commit %.12s\n", r.Version, r.Commit)
	fmt.Fprintf(&b, "image    %s\n         %s\n", r.Image.Name, r.Image.Digest)
	for _, p := range r.Image.Platforms {
		fmt.Fprintf(&b, "         %-12s %5.1f MB compressed  %s\n", p.Name, megabytes(p.Size), p.Digest)
	}
	fmt.Fprintf(&b, "chart    %s (%.0f kB)\n         %s\n", r.Chart.Name, float64(r.Chart.Size)/1e3, r.Chart.Digest)
	var sizes []string
	for _, a := range r.Archives {
		sizes = append(sizes, fmt.Sprintf("%s %.1f MB", strings.TrimPrefix(a.Name, "signpost_"), megabytes(a.Size)))
	}
	fmt.Fprintf(&b, "archives %s\n", strings.Join(sizes, ", "))
	return b.String()
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

// checksums is in the form of sha256sum.
func checksums(sums map[string]string) []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s  %s\n", sums[name], name)
	}
	return []byte(b.String())
}
