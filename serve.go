package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/solver"
)

// startGrace is how long a new replica stays not ready while it reads the records
// and until the others know that a challenge must be there too. After that it is ready with or without Redis: an API that is
// unavailable would keep namespaces in the whole cluster from being deleted.
const startGrace = 5 * time.Second

func newServeCommand(args []string) *cobra.Command {
	s, w, c := &settings{}, newWebhook(), &clusterSettings{}
	validate := func() []string { return slices.Concat(s.validate(), w.validate(s), c.validate()) }
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve cert-manager's webhook and DNS",
		Long: `Serve cert-manager's webhook and DNS. Every flag can also be given as an
environment variable: --redis-url as SIGNPOST_REDIS_URL, and so on; a flag wins
over its variable.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if mistakes := validate(); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			if err := w.listen(); err != nil {
				return err
			}
			if err := w.checkCluster(); err != nil {
				return err
			}
			d, err := newDaemon(s, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			started := time.Now()
			ready := func() error {
				if !d.announced.Load() && time.Since(started) < startGrace {
					return fmt.Errorf("reading the record store")
				}
				return w.ready()
			}
			config, err := w.restConfig()
			if err != nil {
				return err
			}
			k, err := c.follow(config, w.group, d.log)
			if err != nil {
				return err
			}
			checker := &check.Checker{Zone: s.zone, Nameservers: s.ns, Resolvers: c.resolvers}
			sv := solver.New(s.zone, d.store, check.Serves, checker.CNAME, d.log)
			if c.strict {
				sv.Strict(c.namespace, k.Find)
			}
			page := &status{daemon: d, checker: checker, cluster: k, settings: c, group: w.group,
				service: newService(k, c.dnsService, d.log)}
			d.page = page.Status
			d.beside = func(ctx context.Context) { d.watch(ctx, k, sv, checker, page) }
			return d.run(cmd.Context(), ready, w.runner(sv, d.log), sv)
		},
	}
	s.addFlags(cmd.Flags())
	c.addFlags(cmd.Flags())
	w.addFlags(cmd.Flags())
	reportAll(cmd, args, validate)
	return cmd
}
