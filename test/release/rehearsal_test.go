package release

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/test/cluster"
	"github.com/signpost-acme/signpost/test/world"
)

const maxImageMB = 35 // compressed, for each architecture

// TestRehearsal is a release, from the files to a certificate. Each step needs
// those before it.
func TestRehearsal(t *testing.T) {
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"the image is small", imageIsSmall},
		{"push", push},
		{"sign and verify", signAndVerify},
		{"cert-manager's chart", func(t *testing.T) { must(t, c.InstallCertManager(t.Context())) }},
		{"the release before", installBefore},
		{"both versions work together", upgrade},
		{"what runs is what was released", runsWhatWasReleased},
		{"a first installation", installAnew},
		{"kubectl signpost", plugin},
	} {
		if !t.Run(step.name, step.run) {
			t.Fatal(explain())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// explain says how the pods are, for who reads a failure.
func explain() string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var b strings.Builder
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"}, {"get", "events", "-A", "--field-selector=type=Warning"},
		{"logs", "-n", cluster.Namespace, "-l", "app.kubernetes.io/instance=" + cluster.Release, "--prefix", "--tail=20"},
	} {
		out, err := c.Kubectl(ctx, "", args...)
		fmt.Fprintln(&b, out, err)
	}
	return b.String() + registry.Tail()
}

func imageIsSmall(t *testing.T) {
	if len(made.Image.Platforms) < 2 {
		t.Errorf("the image is for %v", made.Image.Platforms)
	}
	for _, p := range made.Image.Platforms {
		if p.Size > maxImageMB*1e6 {
			t.Errorf("the image for %s has %d bytes, compressed, more than %d MB", p.Name, p.Size, maxImageMB)
		}
	}
}

// target runs a target of the Makefile, as the workflow does.
func target(t *testing.T, name, key string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "--silent", "-C", root, name, "DIST="+dist, "REGISTRY="+registryAddress, "KEY="+key)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=", "MAKEFLAGS=", "MAKELEVEL=", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("make %s: %w\n%s", name, err, out)
	}
	return string(out), err
}

func push(t *testing.T) {
	out, err := target(t, "release-push", "")
	must(t, err)
	for _, digest := range []string{made.Image.Digest, made.Chart.Digest} {
		if !strings.Contains(out, digest) {
			t.Errorf("no %s in what was pushed:\n%s", digest, out)
		}
	}
	// Images that are not ours to release: Valkey, and our release before.
	valkey, err := c.ValkeyName()
	must(t, err)
	image, err := cluster.ValkeyImage(valkey)
	must(t, err)
	load(t, image, valkey)
	load(t, cluster.SignpostImage("before", filepath.Join(root, ".cache", "previous", "signpost")), "signpost-acme/signpost:before")
}

// load pushes an image that is made here.
func load(t *testing.T, image world.Image, name string) {
	t.Helper()
	archive, err := image.Archive()
	must(t, err)
	file := filepath.Join(t.TempDir(), "image.tar")
	must(t, os.WriteFile(file, archive, 0o600))
	out, err := exec.CommandContext(t.Context(), filepath.Join(c.Bin, "release"), "load", file, registryAddress+"/"+name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func signAndVerify(t *testing.T) {
	key := func() (private, public string) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(c.Bin, "cosign"), "generate-key-pair")
		cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "COSIGN_PASSWORD=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return filepath.Join(cmd.Dir, "cosign.key"), filepath.Join(cmd.Dir, "cosign.pub")
	}
	ours, public := key()
	_, others := key()
	for _, what := range []string{"", "-checksums"} {
		if _, err := target(t, "release-verify"+what, public); err == nil {
			t.Errorf("what nobody has signed is verified (%s)", what)
		}
		_, err := target(t, "release-sign"+what, ours)
		must(t, err)
		_, err = target(t, "release-verify"+what, public)
		must(t, err)
		if _, err := target(t, "release-verify"+what, others); err == nil {
			t.Errorf("what we have signed is verified with another's key (%s)", what)
		}
	}
}

// plugin runs the program of the archive as krew lets kubectl run it.
func plugin(t *testing.T) {
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join(dist, "signpost_linux_amd64.tar.gz"), "-C", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, os.Symlink("signpost", filepath.Join(dir, "kubectl-signpost")))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	said, err := c.Kubectl(t.Context(), "", "signpost", "version")
	must(t, err)
	if !strings.HasPrefix(said, "signpost "+made.Version+" ") {
		t.Errorf("kubectl signpost version says %q, want %s", said, made.Version)
	}
}
