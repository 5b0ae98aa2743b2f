// Package server is one running replica: it puts the store, its copy, the DNS
// server, the plain HTTP port, the webhook and what follows the cluster together,
// and starts and stops them in the order in which they need each other. It is the
// only room that knows that Redis is behind the solver and the DNS server. It may
// import everything below cli; its proof is in internal/cli's sessions
// (testdata/cli) and in test/e2e.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/version"
	"github.com/signpost-acme/signpost/internal/web"
)

// replica is what serve and dns have in common.
type replica struct {
	options *Options
	log     *slog.Logger
	store   store.Store
	copy    *store.Copy
	journal *store.Journal // nil without secondaries
	dns     *dnsserve.Server
	http    net.Listener // nil for none
	address string       // where the other replicas reach our DNS server

	announced atomic.Bool // to the other replicas, once
	stopping  atomic.Bool
}

// parts is what a replica runs beside its DNS server.
type parts struct {
	ready      func() error                      // whether requests should come here
	api        func(context.Context) error       // the webhook; nil for none
	beside     func(context.Context)             // runs as long as the API does; nil for nothing
	page       func() status.Snapshot            // what the status page shows; nil for no page
	link       func(scope, domain string) string // to a domain's page for its owner; nil for none
	owners     func(context.Context) error       // the owner's page; nil for none
	collectors []prometheus.Collector
}

// MistakeError is a setting that turned out to be wrong only when it was used.
type MistakeError string

func (e MistakeError) Error() string { return string(e) }

// listen binds all sockets, so that a port that is taken is found out before
// anything runs. The options must be valid.
func listen(o *Options, stderr io.Writer) (r *replica, err error) {
	r = &replica{options: o, log: newLogger(stderr, o.logFormat, o.level), copy: &store.Copy{Prepare: dnsserve.Prepare}}
	identity := o.identity
	if identity == "" {
		identity, _ = os.Hostname()
	}
	config := dnsserve.Config{
		Zone: o.Zone, Nameservers: o.Nameservers, Records: r.copy, Asked: r.copy.Note,
		Listen: o.listen, Identity: identity, Log: r.log,
	}
	if len(o.Secondaries) > 0 {
		r.journal = &store.Journal{}
		o.transfers.log(o.Secondaries, r.log)
		config.Transfers = o.transfers.config(o.Secondaries, r.journal, r.log)
	}
	r.dns, err = dnsserve.Listen(config)
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", err)
	}
	// Each UDP socket has a thread that is nearly always in a system call. With a
	// processor to spare the scheduler leaves such a thread its own; without, it
	// takes it away and gives it back for every batch of packets.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + r.dns.Threads())
	if o.httpListen != "" {
		if r.http, err = net.Listen("tcp", o.httpListen); err != nil {
			return nil, fmt.Errorf("HTTP port: %w; stop the program that has it, or choose another with --http-listen", err)
		}
	}
	if r.address = o.advertise; r.address == "" {
		address := advertised(r.dns.Addrs())
		if address.Addr().IsLoopback() && o.redisElsewhere() {
			return nil, MistakeError("--advertise-address: is needed, because the other replicas that share this Redis cannot reach this DNS server at " + address.String())
		}
		r.address = address.String()
	}
	if o.redis.URL == "" {
		r.log.Warn("no --redis-url: records are kept in this process; do not run more than one replica")
		memory := store.NewMemory()
		if r.journal != nil {
			memory.KeepVersions(r.journal)
		}
		r.store = memory
		return r, nil
	}
	redis, err := store.NewRedis(o.Zone.Origin(), o.redis, r.log)
	if err != nil {
		return nil, err
	}
	if r.journal != nil {
		redis.KeepVersions(r.journal)
		redis.Transfers(markOf(o.Secondaries))
	}
	r.store = redis
	return r, nil
}

// run serves until ctx is done: then it becomes not ready, goes on for the
// shutdown delay, and stops the API if there is one, then DNS, then the rest. An
// error of any part ends all of them.
func (r *replica) run(ctx context.Context, p parts) error {
	failed, fail := context.WithCancelCause(context.Background())
	defer fail(nil)
	group := func() (*sync.WaitGroup, context.Context, func()) {
		ctx, cancel := context.WithCancel(context.Background())
		wg := &sync.WaitGroup{}
		return wg, ctx, func() { cancel(); wg.Wait() }
	}
	try := func(err error) {
		if err != nil {
			fail(err)
		}
	}
	rest, restCtx, stopRest := group()
	dns, dnsCtx, stopDNS := group()
	api, apiCtx, stopAPI := group()

	rest.Go(func() { r.store.Follow(restCtx, r.copy) })
	if r.http != nil {
		handler := web.Handler(web.Config{
			Ready: r.readiness(p.ready), Collectors: append(p.collectors, r.dns, r.gauges()), Snapshot: p.page, Zone: r.options.Zone, Link: p.link,
		})
		rest.Go(func() { try(web.Serve(restCtx, r.http, handler)) })
	}
	dns.Go(func() { try(r.dns.Run(dnsCtx)) })
	dns.Go(func() { r.announce(dnsCtx) })
	rest.Go(func() { r.reportAsked(restCtx) })
	if p.beside != nil {
		api.Go(func() { p.beside(apiCtx) })
	}
	if p.owners != nil {
		api.Go(func() { try(p.owners(apiCtx)) })
	}
	if p.api != nil {
		api.Go(func() { try(p.api(apiCtx)) })
	}
	r.log.Info("serving", "zone", r.options.Zone.Origin(), "dns", r.dns.Addrs(), "replica", r.address, "version", version.String())

	select {
	case <-ctx.Done():
		r.log.Info("stopping; still serving for a while", "delay", r.options.shutdownDelay)
		r.stopping.Store(true)
		select {
		case <-time.After(r.options.shutdownDelay):
		case <-failed.Done():
		}
	case <-failed.Done():
		r.stopping.Store(true)
	}
	stopAPI()
	stopDNS()
	stopRest()
	r.log.Info("stopped")
	return errors.Join(context.Cause(failed), r.store.Close())
}

func (r *replica) readiness(ready func() error) func() error {
	return func() error {
		if r.stopping.Load() {
			return errors.New("stopping")
		}
		return ready()
	}
}

// denied returns an error while Redis has refused this replica since its start: the
// password, say, is wrong. Then it must not get ready, so that a rollout does not
// replace replicas that work. A replica that only serves DNS need not write.
func (r *replica) denied(writes bool) error {
	redis, ok := r.store.(interface{ Denied() (read, write error) })
	if !ok {
		return nil
	}
	read, write := redis.Denied()
	if err := cmp.Or(read, write); read != nil || writes && write != nil {
		return fmt.Errorf("Redis refuses this replica: %s", store.Explain(err)) //nolint:staticcheck // a name begins the sentence
	}
	return nil
}
