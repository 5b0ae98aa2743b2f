package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/solver"
)

// clusterSettings is what serve is told about the cluster beside the webhook.
type clusterSettings struct {
	resolvers    []string
	namespace    string
	strict       bool
	challenges   bool
	certificates bool
	dnsService   string // namespace/name
}

func (c *clusterSettings) addFlags(fs *pflag.FlagSet) {
	addResolverFlag(fs, &c.resolvers)
	fs.StringVar(&c.namespace, "cluster-namespace", "cert-manager", "cert-manager's cluster resource namespace: the scope of ClusterIssuers")
	fs.BoolVar(&c.strict, "strict-namespaces", false, "under a ClusterIssuer too, the target of a domain is that of the Certificate's own namespace; needs --watch-challenges")
	fs.BoolVar(&c.challenges, "watch-challenges", true, "follow cert-manager's Challenges: say in events which record to add, go on as soon as it is there, put back records that Redis has lost")
	fs.BoolVar(&c.certificates, "watch-certificates", true, "follow cert-manager's Certificates, for the status page")
	fs.StringVar(&c.dnsService, "dns-service", "", "namespace/name of the Service in front of the DNS server, whose address the status page then shows")
}

// validate returns what is wrong with the settings.
func (c *clusterSettings) validate() (mistakes []string) {
	mistakes = append(mistakes, checkResolvers(c.resolvers)...)
	for _, problem := range validation.IsDNS1123Label(c.namespace) {
		mistakes = append(mistakes, fmt.Sprintf("--cluster-namespace: %q: %s", c.namespace, problem))
	}
	if c.strict && !c.challenges {
		mistakes = append(mistakes, "--strict-namespaces: needs --watch-challenges: only a Challenge says what namespace it is in")
	}
	if namespace, name, ok := strings.Cut(c.dnsService, "/"); c.dnsService != "" && (!ok || namespace == "" || name == "") {
		mistakes = append(mistakes, fmt.Sprintf("--dns-service: %q: write namespace/name", c.dnsService))
	}
	return mistakes
}

// follow starts following the cluster.
func (c *clusterSettings) follow(config *rest.Config, group string, log *slog.Logger) (*cluster.Cluster, error) {
	return cluster.New(cluster.Config{
		Rest: config, Group: group, Solver: solver.Name, Namespace: c.namespace, Strict: c.strict,
		Challenges: c.challenges, Certificates: c.certificates, Log: log,
	})
}

// watch follows the cluster, looks after the challenges in it, and keeps the
// status page current, until ctx is done.
func (d *daemon) watch(ctx context.Context, k *cluster.Cluster, sv *solver.Solver, checker *check.Checker, page *status) {
	w := &solver.Watcher{Challenges: k, Store: d.store, Zone: d.settings.zone, LookUp: checker.CNAME, Presented: sv.Presented, Log: d.log}
	var wg sync.WaitGroup
	wg.Go(func() { k.Run(ctx) })
	wg.Go(func() { w.Run(ctx) })
	wg.Go(func() { page.run(ctx) })
	wg.Wait()
}
