// Package web is the plain HTTP port: health, readiness, metrics and the status
// page. All of it is read-only, and there is no secret in it.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/zone"
)

// Config says what to serve.
type Config struct {
	// Ready returns nil if this replica should get requests, else the reason
	// why not, which is shown to whoever asks.
	Ready func() error

	// Collectors are what /metrics shows beside the Go runtime and the process.
	Collectors []prometheus.Collector

	// Snapshot is what the page shows; nil for no page. It is called for every
	// request, by several goroutines at once, and must not wait for anything.
	Snapshot func() status.Snapshot

	// Zone computes the records of the page's form; nil for no form.
	Zone *zone.Zone

	// Link returns the link to the page that a domain's owner is sent, "" for none; nil
	// if there is no such page.
	Link func(scope, domain string) string
}

// Handler serves /healthz (200 as long as the process runs), /readyz (200, or
// 503 with the reason), /metrics (Prometheus), and with a Snapshot the page (/) and
// the same for programs (/status.json).
func Handler(c Config) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(c.Collectors...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	if c.Snapshot != nil {
		(&page{snapshot: c.Snapshot, zone: c.Zone, link: c.Link, now: time.Now}).routes(mux)
	}
	return secure(mux)
}

// Serve answers requests that come in on listener until ctx is done; then it
// finishes those that it has. It returns an error only if serving failed.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("HTTP server: %w", err)
	}
	<-done // Serve returns as soon as Shutdown begins
	return nil
}
