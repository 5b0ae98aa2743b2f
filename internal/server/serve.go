package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/internal/gate"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/version"
	"github.com/signpost-acme/signpost/solver"
)

// startGrace is how long a new replica stays not ready while it reads the store
// and until the other replicas wait for it too. After that it is ready with or
// without Redis: an API that is unavailable would keep namespaces in the whole
// cluster from being deleted.
const startGrace = 5 * time.Second

// presentMemory is how old a look may be that Present believes: the gate has just
// let the Order through.
const presentMemory = 5 * time.Second

// Webhook is a replica in a cluster: cert-manager's webhook, DNS and the status
// page. Use NewWebhook.
type Webhook struct {
	Options
	ClusterOptions
	Owner   OwnerOptions
	webhook *webhook
}

// NewWebhook returns one with the default options.
func NewWebhook() *Webhook { return &Webhook{webhook: newWebhook()} }

// AddFlags adds a flag for each option.
func (w *Webhook) AddFlags(fs *pflag.FlagSet) {
	w.Options.AddFlags(fs)
	w.ClusterOptions.AddFlags(fs)
	w.Owner.AddFlags(fs)
	w.webhook.addFlags(fs)
}

// Validate returns every mistake; see Options.Validate.
func (w *Webhook) Validate(redisURLIsPublic bool) []string {
	return slices.Concat(w.Options.Validate(redisURLIsPublic), w.webhook.validate(w.Zone), w.ClusterOptions.Validate(), w.Owner.Validate())
}

// Run serves until ctx is done, and logs to stderr. An error before anything is
// served means that a port is taken or that it is not known how to reach the cluster.
func (w *Webhook) Run(ctx context.Context, stderr io.Writer) error {
	collectSooner()
	go returnMemory(ctx)
	if err := w.webhook.listen(); err != nil {
		return err
	}
	if err := w.webhook.checkCluster(); err != nil {
		return err
	}
	if err := w.Owner.listenForOwners(); err != nil {
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
	k, err := w.cluster(config, r.log)
	if err != nil {
		return err
	}
	history := w.history(r)
	if err := k.OnChallenge(history.Challenge); err != nil {
		return err
	}
	return r.run(ctx, w.parts(r, k, history, clusterID(config)))
}

func (w *Webhook) cluster(config *rest.Config, log *slog.Logger) (*cluster.Cluster, error) {
	return cluster.New(cluster.Config{
		Rest: config, Group: w.webhook.group, Solver: solver.Name, Namespace: w.namespace, Strict: w.strict, Zone: w.Zone,
		Gate: w.gate, Protected: w.protected, GateClusterNamespace: w.gateClusterNamespace, GateOthers: w.gateOthers, Unchecked: solver.Unchecked,
		Challenges: w.challenges, Certificates: w.certificates, Requests: w.requests, Log: log,
	})
}

// history is told of the copy's values from now on.
func (w *Webhook) history(r *replica) *status.History {
	targetOf := func(scope, domain string) (uuid.UUID, error) {
		target, err := w.Zone.Target(scope, domain)
		return target.ID, err
	}
	h := status.NewHistory(targetOf, func(target uuid.UUID) []string { values, _, _ := r.copy.Lookup(target); return values })
	r.copy.Changed = h.Values
	return h
}

// parts puts together what runs beside the DNS server.
func (w *Webhook) parts(r *replica, k *cluster.Cluster, history *status.History, id uuid.UUID) parts {
	checker := &check.Checker{Zone: w.Zone, Nameservers: w.Nameservers, Resolvers: w.resolvers, ResolverOnly: w.resolverOnly, PrivateAddresses: w.private, Namespaces: k.Scopes}
	if r.journal != nil {
		checker.Secondaries, checker.Serial = w.Secondaries, r.journal.Serial
	}
	looks := gate.NewLooks(checker.Look, checker.Changed, r.store)
	looks.Delegated = checker.Delegated
	lookUp := func(ctx context.Context, scope, domain string) check.Finding {
		target, err := w.Zone.Target(scope, domain)
		if err != nil {
			return checker.Look(ctx, scope, domain) // says what is wrong with the domain
		}
		return looks.Within(ctx, target, presentMemory)
	}
	s := solver.New(w.Zone, r.store, solver.DNSServes, lookUp, r.log)
	s.Secondaries(w.Secondaries, solver.SecondaryServes)
	if w.strict {
		s.Strict(w.namespace, k.Find)
	}
	work := &share{self: r.address, cluster: id, store: r.store}
	challenges := &solver.Watcher{Challenges: k, Store: r.store, Zone: w.Zone, LookUp: lookUp, Presented: s.Presented, Presenting: s.Presenting,
		Returned: r.copy.Returned, Gate: w.gate, Mine: work.mine, Log: r.log}
	requests := gate.NewWatcher(k, looks, work.mine, r.log)
	requests.Others = gate.NewOthers(checker.Look, checker.Changed, r.store)
	page := status.New(status.Config{
		Version: version.String(), Zone: w.Zone, Nameservers: w.Nameservers, Group: w.webhook.group, Namespace: w.namespace,
		Strict: w.strict, Address: r.address, Redis: w.redis.URL != "", DNSService: w.dnsService, PrivateAddresses: w.private, GateConfiguration: w.gateConfiguration,
		Mine: work.mine, ClusterID: id, Primaries: r.primaries, Cluster: k, Store: r.store, Copy: r.copy, Checker: checker, History: history, Log: r.log,
	})
	collectors := []prometheus.Collector{s, page, w.metrics(k, requests)}
	if w.gate {
		w.webhook.gate = gate.New(k, looks, w.creator(), r.log)
		w.webhook.gate.Others = requests.Others
		collectors = append(collectors, w.webhook.gate)
	}
	started := time.Now()
	return parts{
		ready: func() error {
			if err := r.denied(true); err != nil {
				return err
			}
			if time.Since(started) < startGrace {
				switch {
				case !r.announced.Load():
					return errors.New("reading the record store")
				case w.gate && !k.Ready():
					return errors.New("reading the Issuers")
				}
			}
			return w.webhook.ready()
		},
		api: w.webhook.runner(s, r.log),
		beside: func(ctx context.Context) {
			var wg sync.WaitGroup
			for _, run := range []func(context.Context){k.Run, challenges.Run, page.Run, work.run} {
				wg.Go(func() { run(ctx) })
			}
			if w.requests {
				wg.Go(func() { requests.Run(ctx) })
			}
			wg.Wait()
		},
		page:       page.Snapshot,
		link:       w.Owner.link(w.Zone),
		owners:     w.Owner.serveOwners(w.Zone, checker, page.Snapshot, r.log),
		collectors: collectors,
	}
}
