package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platform is an operating system and an architecture, as Go names them.
type platform struct{ OS, Arch string }

func (p platform) String() string { return p.OS + "/" + p.Arch }

func (p platform) binary() string {
	if p.OS == "windows" {
		return "signpost.exe"
	}
	return "signpost"
}

func parsePlatforms(text string) ([]platform, error) {
	var list []platform
	for _, s := range strings.Split(text, ",") {
		os, arch, ok := strings.Cut(s, "/")
		p := platform{os, arch}
		if !ok || !slices.Contains([]string{"linux", "darwin", "windows"}, os) || !slices.Contains([]string{"amd64", "arm64"}, arch) {
			return nil, fmt.Errorf("there is no release for %q: choose from linux, darwin and windows, with amd64 and arm64, as linux/amd64,darwin/arm64", s)
		}
		if slices.Contains(list, p) {
			return nil, fmt.Errorf("%s is named twice", p)
		}
		list = append(list, p)
	}
	return list, nil
}

// flags are those of go build. The Dockerfile has the same, which a test checks.
func flags(variable, version string) []string {
	return []string{"-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X " + variable + "=" + version}
}

// compile builds the program for one platform into file.
func compile(ctx context.Context, root, variable, version string, p platform, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	args := append([]string{"build"}, flags(variable, version)...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", file, ".")...)
	cmd.Dir = root
	// Nothing of the environment may change what comes out.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=", "GODEBUG=", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the program for %s could not be built: %w\n%s", p, err, out)
	}
	return nil
}
