// Package cluster is a Kubernetes cluster with one real node, on which
// cert-manager's own chart and ours are installed by Helm: what a platform team
// has after the first ten minutes.
package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// Where Signpost is, and what Helm calls it, which is its full name too.
const (
	Namespace = "signpost"
	Release   = "signpost"
)

const (
	certManager = world.CertManagerNamespace
	tag         = "sandbox" // of cert-manager's images
)

// Cluster is the cluster, running.
type Cluster struct {
	*world.World
	Chart string // the folder of our chart
}

// Start starts a cluster in which nothing is installed yet. Its images are
// there; root is the folder of the repository.
func Start(ctx context.Context, root string, o world.Options) (*Cluster, error) {
	return start(ctx, root, o, (*Cluster).productImages)
}

func start(ctx context.Context, root string, o world.Options, product func(*Cluster) ([]world.Image, error)) (*Cluster, error) {
	o.Node = true
	w, err := world.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &Cluster{World: w, Chart: filepath.Join(root, "charts", "signpost")}
	w.Step("making images")
	images, err := product(c)
	if err == nil {
		err = c.importImages(ctx, append(images, c.certManagerImages()...))
	}
	if err != nil {
		w.Stop()
		return nil, err
	}
	go c.balance()
	return c, nil
}

func (c *Cluster) importImages(ctx context.Context, images []world.Image) error {
	for _, i := range images {
		if err := c.Import(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

const anybody = "1000:1000"

// productImages are the images that our chart names.
func (c *Cluster) productImages() ([]world.Image, error) {
	defaults, err := chartDefaults(c.Chart)
	if err != nil {
		return nil, err
	}
	valkey, err := ValkeyImage(defaults.valkey)
	return []world.Image{SignpostImage(defaults.signpost, filepath.Join(c.Bin, "signpost")), valkey}, err
}

// SignpostImage is an image of a program, as the Dockerfile makes it.
func SignpostImage(name, program string) world.Image {
	files := map[string]string{"signpost": program}
	const authorities = "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(authorities); err == nil {
		files[authorities[1:]] = authorities
	}
	return world.Image{Name: name, Files: files, Entrypoint: []string{"/signpost"}, User: "65532:65532", Texts: map[string]string{
		"etc/passwd": "nonroot:x:65532:65532:nonroot:/:/nonexistent\n", "etc/group": "nonroot:x:65532:\n"}}
}

// ValkeyImage is this machine's Redis under Valkey's name.
func ValkeyImage(name string) (world.Image, error) {
	files, err := world.WithLibraries("redis-server", "usr/local/bin/valkey-server")
	return world.Image{Name: name, Files: files, Entrypoint: []string{"valkey-server"}, User: anybody}, err
}

// certManagerImages are the images that cert-manager's chart is given.
func (c *Cluster) certManagerImages() []world.Image {
	parts := map[string]string{"cert-manager-parts": filepath.Join(c.Bin, "cert-manager-parts")}
	return []world.Image{
		{Name: certManagerImage("controller"), Files: map[string]string{"cert-manager": filepath.Join(c.Bin, "cert-manager")}, Entrypoint: []string{"/cert-manager"}, User: anybody},
		{Name: certManagerImage("webhook"), Files: parts, Entrypoint: []string{"/cert-manager-parts", "webhook"}, User: anybody},
		{Name: certManagerImage("cainjector"), Files: parts, Entrypoint: []string{"/cert-manager-parts", "cainjector"}, User: anybody},
	}
}

func certManagerImage(part string) string { return "sandbox/cert-manager-" + part + ":" + tag }

// InstallCertManager installs cert-manager's own chart.
func (c *Cluster) InstallCertManager(ctx context.Context) error {
	module, err := world.ModuleDir("github.com/cert-manager/cert-manager")
	if err != nil {
		return err
	}
	image := func(part string) map[string]any {
		repository, _, _ := strings.Cut(certManagerImage(part), ":")
		return map[string]any{"repository": repository, "tag": tag, "pullPolicy": "Never"}
	}
	values := map[string]any{
		"crds":            map[string]any{"enabled": true},
		"image":           image("controller"),
		"webhook":         map[string]any{"image": image("webhook")},
		"cainjector":      map[string]any{"image": image("cainjector")},
		"startupapicheck": map[string]any{"enabled": false}, // needs another image
		"livenessProbe":   map[string]any{"enabled": false}, // our controller has none
	}
	h, err := c.Helm(certManager)
	if err != nil {
		return err
	}
	if _, err = h.Install(ctx, certManager, filepath.Join(module, "deploy", "charts", "cert-manager"), values); err != nil {
		return err
	}
	// What the chart's own check, which is left out, waits for: its webhook answers.
	return poll.Try(ctx, patience, "cert-manager's webhook answers", func() error {
		_, err := c.Kubectl(ctx, "{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: check}, spec: {selfSigned: {}}}", "create", "--dry-run=server", "-n", "default", "-f", "-")
		return err
	})
}

// Values are what our chart is installed with: what everybody sets, the CA of the
// sandbox instead of a public one, and that it reaches addresses of the sandbox.
func (c *Cluster) Values(more map[string]any) map[string]any {
	values := map[string]any{
		"zone":             world.Zone,
		"privateAddresses": true,
		"issuer": map[string]any{
			"email": "admin@example.com", "server": world.DirectoryURL, "caBundle": base64.StdEncoding.EncodeToString(c.CABundle()),
		},
	}
	maps.Copy(values, more)
	return values
}

// Delegate adds the records that the notes of our chart ask for.
func (c *Cluster) Delegate(ctx context.Context) error {
	return c.Parent.Set(ctx, "example.com", "delegation", fmt.Sprintf("%[1]s. NS ns-%[1]s.\nns-%[1]s. A %[2]s", world.Zone, world.BalancerAddress))
}

// Restricted makes a namespace that admits only pods of the restricted profile.
func (c *Cluster) Restricted(ctx context.Context, name string) error {
	return c.Apply(ctx, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}", name))
}
