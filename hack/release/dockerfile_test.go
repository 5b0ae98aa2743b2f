package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// dockerfile is what BuildKit makes of the Dockerfile, by hack/dockerfile.
type dockerfile struct {
	Config v1.Config
	Copies []struct {
		From, To string
		Sources  []string
	}
	Runs []string
}

// People who build with docker get the image that we release: the same files,
// user, entrypoint, ports, environment and labels, from the same flags of go build.
func TestDockerfileMakesTheSameImage(t *testing.T) {
	const version = "1.2.3"
	cmd := exec.CommandContext(t.Context(), "go", "run", "-ldflags=-s -w", ".", "../../Dockerfile", version)
	cmd.Dir = "../dockerfile"
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("hack/dockerfile: %v", err)
	}
	var theirs dockerfile
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatal(err)
	}
	if ours := imageConfig(version); !reflect.DeepEqual(theirs.Config, ours) {
		t.Errorf("the Dockerfile has\n%+v\nwe have\n%+v", theirs.Config, ours)
	}
	if c := theirs.Copies; len(c) != 1 || c[0].From != "build" || c[0].To != "/" || !reflect.DeepEqual(c[0].Sources, []string{"/out/"}) {
		t.Fatalf("the Dockerfile copies %+v; this test knows only /out/ to /", c)
	}
	script := theirs.Runs[len(theirs.Runs)-1]
	files, arguments := runScript(t, script, version)
	for _, e := range imageFiles([]byte("program")) {
		name := strings.TrimSuffix(e.Name, "/")
		info, ok := files[name]
		if !ok {
			t.Errorf("the Dockerfile makes no %s", name)
			continue
		}
		delete(files, name)
		if info.Mode().Perm() != fs.FileMode(e.Mode) || info.IsDir() != strings.HasSuffix(e.Name, "/") || info.ModTime().Unix() != 0 {
			t.Errorf("the Dockerfile makes %s with %v of %v, we with %o", name, info.Mode(), info.ModTime(), e.Mode)
		}
		if info.content != string(e.Content) && !strings.HasSuffix(name, ".crt") { // the machine's CAs
			t.Errorf("%s: the Dockerfile writes %q, we %q", name, info.content, e.Content)
		}
	}
	for name := range files {
		t.Errorf("the Dockerfile makes %q, we do not", name)
	}
	want := append([]string{"build"}, flags(versionVariable(t), version)...)
	if got := arguments[:len(arguments)-3]; !reflect.DeepEqual(got, want) {
		t.Errorf("the Dockerfile calls go with %q, we with %q", got, want)
	}
}

// versionVariable is what the Makefile says.
func versionVariable(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, root+"/Makefile"), "\nVERSION_VARIABLE := ")
	name, _, _ := strings.Cut(rest, "\n")
	if !ok || name == "" {
		t.Fatal("the Makefile has no VERSION_VARIABLE")
	}
	return name
}

type fileInfo struct {
	fs.FileInfo
	content string
}

// runScript runs what the build stage runs, with another root and a program
// instead of go that writes down its arguments.
func runScript(t *testing.T, script, version string) (files map[string]fileInfo, arguments []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("bin/go", `#!/bin/sh
for a; do printf '%s\n' "$a" >>"$DIR/arguments"; [ "$last" != -o ] || out=$a; last=$a; done
mkdir -p "$(dirname "$out")" && printf program >"$out" && chmod 755 "$out"
`, 0o755)
	write("etc/ssl/certs/ca-certificates.crt", "certificates", 0o644)
	script = strings.ReplaceAll(script, "/etc/ssl/", dir+"/etc/ssl/")
	script = strings.ReplaceAll(script, "/out"+dir, "/out")
	script = strings.ReplaceAll(script, "/out", dir+"/out")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "umask 022; "+script)
	cmd.Env = append(os.Environ(), "DIR="+dir, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "VERSION="+version, "TARGETOS=linux", "TARGETARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
	said, err := os.ReadFile(filepath.Join(dir, "arguments"))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]fileInfo{}
	out := filepath.Join(dir, "out")
	err = filepath.WalkDir(out, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == out {
			return err
		}
		name, _ := filepath.Rel(out, path)
		info, err := e.Info()
		var content []byte
		if err == nil && !e.IsDir() {
			content, err = os.ReadFile(path)
		}
		files[name] = fileInfo{info, string(content)}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, strings.Split(strings.TrimSpace(string(said)), "\n")
}
