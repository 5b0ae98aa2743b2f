package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/zone"
	"github.com/signpost-acme/signpost/solver"
)

// clusterFlags say which cluster is asked, and about which Issuer.
type clusterFlags struct {
	kube
	namespace string
	issuer    string // kind/name
}

func (f *clusterFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVarP(&f.namespace, "namespace", "n", "", "namespace of the Certificate (default: the kubeconfig's)")
	fs.StringVar(&f.issuer, "issuer", "", "Issuer/name or ClusterIssuer/name (default: the one that uses Signpost)")
	f.addKubeFlags(fs)
}

func (f *clusterFlags) validate() (mistakes []string) {
	if kind, name, ok := strings.Cut(f.issuer, "/"); f.issuer != "" && (!ok || name == "" || kind != "Issuer" && kind != "ClusterIssuer") {
		mistakes = append(mistakes, fmt.Sprintf("--issuer: %q: write Issuer/name or ClusterIssuer/name", f.issuer))
	}
	return mistakes
}

// connected is a cluster, and what it says of the Issuer's installation of Signpost.
type connected struct {
	client    *cluster.Client
	issuer    cluster.Issuer
	installed cluster.Installation
	zone      *zone.Zone
	namespace string // of the Certificate
	scope     string // of the Issuer there
}

// connect asks the cluster. zoneName and clusterScope win over what it says.
func (f *clusterFlags) connect(ctx context.Context, zoneName, clusterScope string) (c connected, err error) {
	rest, config, err := f.kube.connect()
	if err != nil {
		return c, err
	}
	if c.namespace = f.namespace; c.namespace == "" {
		if c.namespace, _, err = config.Namespace(); err != nil {
			return c, fmt.Errorf("no namespace is known: %w; give --namespace", err)
		}
	}
	if c.client, err = cluster.NewClient(rest, solver.Name); err != nil {
		return c, err
	}
	if c.issuer, err = f.chooseIssuer(ctx, c.client, c.namespace); err != nil {
		return c, err
	}
	if c.installed, err = c.client.Installation(ctx, c.issuer.Group); err != nil {
		return c, err
	}
	c.zone, err = zone.New(cmp.Or(zoneName, c.installed.Zone, c.issuer.Group))
	if err != nil {
		return c, fmt.Errorf("%w; give the zone that Signpost serves with --zone", err)
	}
	if c.scope = c.namespace; c.issuer.Kind == "ClusterIssuer" && !c.installed.Strict {
		c.scope = cmp.Or(clusterScope, c.installed.Namespace, "cert-manager")
	}
	return c, nil
}

// chooseIssuer returns the one that was asked for, or the only one that there is.
func (f *clusterFlags) chooseIssuer(ctx context.Context, client *cluster.Client, namespace string) (cluster.Issuer, error) {
	list, err := client.Issuers(ctx, namespace)
	if err != nil && len(list) == 0 {
		return cluster.Issuer{}, err
	}
	var names []string
	for _, i := range list {
		if name := i.Kind + "/" + i.Name; name == f.issuer {
			return i, nil
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	switch {
	case f.issuer != "" && err != nil:
		return cluster.Issuer{}, fmt.Errorf("whether %s uses Signpost cannot be told: %w", f.issuer, err)
	case f.issuer != "":
		return cluster.Issuer{}, fmt.Errorf("%s does not exist, or does not use Signpost; those that do: %s", f.issuer, cmp.Or(strings.Join(names, ", "), "none"))
	case len(list) == 0:
		return cluster.Issuer{}, fmt.Errorf("no ClusterIssuer, and no Issuer in namespace %s, uses Signpost; create one, with solverName %s", namespace, solver.Name)
	case len(list) > 1:
		return cluster.Issuer{}, usageError{"several Issuers use Signpost; choose one with --issuer: " + strings.Join(names, ", ")}
	}
	return list[0], nil
}
