package server

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/version"
	"github.com/signpost-acme/signpost/solver"
)

// startGrace is how long a new replica stays not ready while it reads the store
// and until the other replicas wait for it too. After that it is ready with or
// without Redis: an API that is unavailable would keep namespaces in the whole
// cluster from being deleted.
const startGrace = 5 * time.Second

// Webhook is a replica in a cluster: cert-manager's webhook, DNS and the status
// page. Use NewWebhook.
type Webhook struct {
	Options
	ClusterOptions
	webhook *webhook
}

// NewWebhook returns one with the default options.
func NewWebhook() *Webhook { return &Webhook{webhook: newWebhook()} }

// AddFlags adds a flag for each option.
func (w *Webhook) AddFlags(fs *pflag.FlagSet) {
	w.Options.AddFlags(fs)
	w.ClusterOptions.AddFlags(fs)
	w.webhook.addFlags(fs)
}

// Validate returns every mistake; see Options.Validate.
func (w *Webhook) Validate(redisURLIsPublic bool) []string {
	return slices.Concat(w.Options.Validate(redisURLIsPublic), w.webhook.validate(w.Zone), w.ClusterOptions.Validate())
}

// Run serves until ctx is done, and logs to stderr. An error before anything is
// served means that a port is taken or that it is not known how to reach the cluster.
func (w *Webhook) Run(ctx context.Context, stderr io.Writer) error {
	if err := w.webhook.listen(); err != nil {
		return err
	}
	if err := w.webhook.checkCluster(); err != nil {
		return err
	}
	r, err := listen(&w.Options, stderr)
	if err != nil {
		return err
	}
	config, err := w.webhook.restConfig()
	if err != nil {
		return err
	}
	k, err := cluster.New(cluster.Config{
		Rest: config, Group: w.webhook.group, Solver: solver.Name, Namespace: w.namespace, Strict: w.strict,
		Challenges: w.challenges, Certificates: w.certificates, Log: r.log,
	})
	if err != nil {
		return err
	}
	checker := &check.Checker{Zone: w.Zone, Nameservers: w.Nameservers, Resolvers: w.resolvers, Namespaces: k.Scopes}
	s := solver.New(w.Zone, r.store, solver.DNSServes, checker.CNAME, r.log)
	if w.strict {
		s.Strict(w.namespace, k.Find)
	}
	page := status.New(status.Config{
		Version: version.String(), Zone: w.Zone, Nameservers: w.Nameservers, Group: w.webhook.group, Namespace: w.namespace,
		Strict: w.strict, Address: r.address, Redis: w.redis.URL != "", DNSService: w.dnsService,
		Cluster: k, Store: r.store, Copy: r.copy, Checker: checker, Log: r.log,
	})
	watcher := &solver.Watcher{Challenges: k, Store: r.store, Zone: w.Zone, LookUp: checker.CNAME, Presented: s.Presented, Log: r.log}
	started := time.Now()
	return r.run(ctx, parts{
		ready: func() error {
			if !r.announced.Load() && time.Since(started) < startGrace {
				return errors.New("reading the record store")
			}
			return w.webhook.ready()
		},
		api: w.webhook.runner(s, r.log),
		beside: func(ctx context.Context) {
			var wg sync.WaitGroup
			wg.Go(func() { k.Run(ctx) })
			wg.Go(func() { watcher.Run(ctx) })
			wg.Go(func() { page.Run(ctx) })
			wg.Wait()
		},
		page:       page.Snapshot,
		collectors: []prometheus.Collector{s},
	})
}
