package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signpost-acme/signpost/dnsserve"
	"github.com/signpost-acme/signpost/internal/store"
	"github.com/signpost-acme/signpost/internal/web"
)

// daemon is what serve and dns have in common: the store, its copy, the DNS
// server and the plain HTTP port. Its parts start in the order in which they
// need each other, and stop the other way round.
type daemon struct {
	settings *settings
	log      *slog.Logger
	store    store.Store
	copy     *store.Copy
	dns      *dnsserve.Server
	http     net.Listener // nil for none
	address  string       // where the other replicas reach our DNS server

	beside func(context.Context) // if not nil, runs as long as the API does
	page   func() web.Status     // what the status page shows; nil for no page

	announced atomic.Bool // to the other replicas, once
	stopping  atomic.Bool
}

// askedInterval is how often other replicas hear what this one was asked.
const askedInterval = time.Second

// newDaemon binds all sockets, so that a port that is taken is found out before
// anything runs.
func newDaemon(s *settings, stderr io.Writer) (d *daemon, err error) {
	d = &daemon{settings: s, log: newLogger(stderr, s.logFormat, s.level), copy: &store.Copy{Prepare: dnsserve.Prepare}}
	if s.identity == "" {
		s.identity, _ = os.Hostname()
	}
	d.dns, err = dnsserve.Listen(dnsserve.Config{
		Zone: s.zone, Nameservers: s.ns, Records: d.copy, Asked: d.copy.Note,
		Listen: s.listen, Identity: s.identity, Log: d.log,
	})
	if err != nil {
		return nil, fmt.Errorf("DNS server: %w", err)
	}
	// Each UDP socket has a thread that is nearly always in a system call. With a
	// processor to spare the scheduler leaves such a thread its own; without, it
	// takes it away and gives it back for every batch of packets.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + d.dns.Threads())
	if s.httpListen != "" {
		if d.http, err = net.Listen("tcp", s.httpListen); err != nil {
			return nil, fmt.Errorf("HTTP port: %w; stop the program that has it, or choose another with --http-listen", err)
		}
	}
	if d.address = s.advertise; d.address == "" {
		address := advertised(d.dns.Addrs())
		if address.Addr().IsLoopback() && s.redisElsewhere() {
			return nil, usageError{"--advertise-address: is needed, because the other replicas that share this Redis cannot reach this DNS server at " + address.String()}
		}
		d.address = address.String()
	}
	if s.redis.URL == "" {
		d.log.Warn("no --redis-url: records are kept in this process; do not run more than one replica")
		d.store = store.NewMemory()
		return d, nil
	}
	d.store, err = store.NewRedis(s.zone.Origin(), s.redis, d.log)
	return d, err
}

// run serves until ctx is done: then it says that it is not ready, goes on for
// the shutdown delay, stops the API if there is one, then DNS, then the rest.
// ready says whether requests should come here; api, if not nil, runs until its
// context is done. An error of any part ends all of them.
func (d *daemon) run(ctx context.Context, ready func() error, api func(context.Context) error, metrics ...prometheus.Collector) error {
	var failed failure
	apiCtx, stopAPI := context.WithCancel(context.Background())
	dnsCtx, stopDNS := context.WithCancel(context.Background())
	restCtx, stopRest := context.WithCancel(context.Background())
	var apiDone, dnsDone, restDone sync.WaitGroup

	restDone.Go(func() { d.store.Follow(restCtx, d.copy) })
	if d.http != nil {
		handler := web.Handler(web.Config{
			Ready: d.readiness(ready), Collectors: append(metrics, d.dns, d.gauges()), Status: d.page, Zone: d.settings.zone,
		})
		restDone.Go(func() { failed.set(web.Serve(restCtx, d.http, handler)) })
	}
	dnsDone.Go(func() { failed.set(d.dns.Run(dnsCtx)) })
	dnsDone.Go(func() { d.announce(dnsCtx) })
	restDone.Go(func() { d.reportAsked(restCtx) })
	if d.beside != nil {
		apiDone.Go(func() { d.beside(apiCtx) })
	}
	if api != nil {
		apiDone.Go(func() { failed.set(api(apiCtx)) })
	}
	d.log.Info("serving", "zone", d.settings.zone.Origin(), "dns", d.dns.Addrs(), "replica", d.address, "version", currentVersion())

	select {
	case <-ctx.Done():
		d.log.Info("stopping; still serving for a while", "delay", d.settings.shutdownDelay)
		d.stopping.Store(true)
		failed.wait(d.settings.shutdownDelay)
	case <-failed.happened():
		d.stopping.Store(true)
	}
	stopAPI()
	apiDone.Wait()
	stopDNS()
	dnsDone.Wait()
	stopRest()
	restDone.Wait()
	d.log.Info("stopped")
	return errors.Join(failed.err(), d.store.Close())
}

func (d *daemon) readiness(ready func() error) func() error {
	return func() error {
		if d.stopping.Load() {
			return errors.New("stopping")
		}
		return ready()
	}
}

// announce says in the store that this DNS server is live, from the moment that
// it has read everything until ctx is done.
func (d *daemon) announce(ctx context.Context) {
	ticker := time.NewTicker(store.HeartbeatInterval)
	defer ticker.Stop()
	for {
		pause := ticker.C
		if !d.copy.Synced() { // soon after the first full read
			pause = time.After(20 * time.Millisecond)
		} else if err := d.store.Announce(ctx, d.address); err == nil && d.announced.CompareAndSwap(false, true) { // a failure is in the log already
			d.log.Info("announced to the other replicas", "address", d.address, "names", d.copy.Len())
		}
		select {
		case <-pause:
		case <-ctx.Done():
			if d.announced.Load() {
				_ = d.store.Withdraw(context.WithoutCancel(ctx), d.address) // if this fails the heartbeat runs out
			}
			return
		}
	}
}

// reportAsked hands on, every second, who has asked for which challenge, until
// ctx is done. It is for people to look at: what is lost is lost.
func (d *daemon) reportAsked(ctx context.Context) {
	ticker := time.NewTicker(askedInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for id, counts := range d.copy.TakeAsked() {
			if err := d.store.AddAsked(ctx, id, counts); err != nil {
				break // the store has said it in the log
			}
		}
	}
}

// gauges are the metrics of the copy.
func (d *daemon) gauges() prometheus.Collector {
	return collectors{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_names", Help: "Names that have challenge values, in this replica's copy."},
			func() float64 { return float64(d.copy.Len()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_synced", Help: "1 once the record store has been read in full, 0 before."},
			func() float64 { return oneIf(d.copy.Synced()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signpost_records_current", Help: "1 while this replica knows which names have no values, 0 while it answers SERVFAIL for them."},
			func() float64 { return oneIf(d.copy.Current()) }),
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// collectors makes one Collector of several.
type collectors []prometheus.Collector

func (c collectors) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range c {
		x.Describe(ch)
	}
}

func (c collectors) Collect(ch chan<- prometheus.Metric) {
	for _, x := range c {
		x.Collect(ch)
	}
}

// advertised returns the address at which other replicas reach a DNS server that
// is bound to these: the first that is not loopback, where one bound to all
// addresses stands for those of this machine.
func advertised(bound []netip.AddrPort) netip.AddrPort {
	for _, b := range bound {
		if !b.Addr().IsUnspecified() {
			if !b.Addr().IsLoopback() {
				return b
			}
			continue
		}
		addrs, _ := net.InterfaceAddrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap().Is4() == b.Addr().Is4() {
					return netip.AddrPortFrom(ip.Unmap(), b.Port())
				}
			}
		}
	}
	switch first := bound[0]; {
	case !first.Addr().IsUnspecified():
		return first
	case first.Addr().Is4():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), first.Port())
	default:
		return netip.AddrPortFrom(netip.IPv6Loopback(), first.Port())
	}
}
