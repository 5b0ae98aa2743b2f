// Command demo-cluster is the demo on a real node, where Signpost and cert-manager
// are pods that Helm has installed.
package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/signpost-acme/signpost/test/cluster"
	"github.com/signpost-acme/signpost/test/demo"
	"github.com/signpost-acme/signpost/test/world"
)

func main() {
	var d node
	demo.Main(demo.Kind{Start: d.start, Show: d.show, DNSServer: world.BalancerAddress, Node: true})
}

// node is the demo on a real node.
type node struct{ *cluster.Cluster }

func (d *node) start(ctx context.Context, o world.Options) (*world.World, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	if d.Cluster, err = cluster.Start(ctx, root, o); err != nil {
		return nil, err
	}
	return d.World, nil
}

// show installs both charts and issues a certificate.
func (d *node) show(ctx context.Context, w *world.World, n *demo.Narrator) error {
	n.Title("Once, by the platform team")
	n.Step("installing cert-manager's chart")
	if err := d.InstallCertManager(ctx); err != nil {
		return err
	}
	h, err := d.Helm(cluster.Namespace)
	if err != nil {
		return err
	}
	n.Code(fmt.Sprintf("helm install %s charts/signpost --namespace %s --create-namespace --wait \\\n    --set zone=%s --set issuer.email=admin@example.com    # and the sandbox's own CA and private addresses",
		cluster.Release, cluster.Namespace, world.Zone))
	if err := d.Restricted(ctx, cluster.Namespace); err != nil {
		return err
	}
	release, err := h.Install(ctx, cluster.Release, d.Chart, d.Values(nil))
	if err != nil {
		return err
	}
	n.Step("installed; the chart says:")
	n.Code(release.Info.Notes)

	n.Title("Once, by whoever owns the domains")
	target, err := world.Target(world.CertManagerNamespace, "example.com")
	if err != nil {
		return err
	}
	n.Code(fmt.Sprintf("%[1]s.              NS      ns-%[1]s.\nns-%[1]s.           A       %[2]s\n_acme-challenge.example.com.   CNAME   %[3]s.", world.Zone, world.BalancerAddress, target))
	if err := d.Delegate(ctx); err != nil {
		return err
	}
	if err := w.Parent.SetCNAME(ctx, "example.com", "example.com", target); err != nil {
		return err
	}
	n.Step("added these records at the DNS of example.com")

	n.Title("For every certificate")
	n.Code(strings.Replace(demo.CertificateYAML, "example.com, ", "", 1)) // the other name would go to HTTP-01
	if _, err := demo.Issue(ctx, w, n, "wildcard", "signpost", "*.example.com"); err != nil {
		return err
	}
	n.Title("Renewals need nobody: the CNAME stays, cert-manager and Signpost do the rest.")
	return nil
}
