package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/solver"
)

// startGrace is how long a new replica stays not ready while it reads the
// records. After that it is ready with or without Redis: an API that is
// unavailable would keep namespaces in the whole cluster from being deleted.
const startGrace = 5 * time.Second

func newServeCommand(args []string) *cobra.Command {
	s, w := &settings{}, newWebhook()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve cert-manager's webhook and DNS",
		Long: `Serve cert-manager's webhook and DNS. Every flag can also be given as an
environment variable: --redis-url as SIGNPOST_REDIS_URL, and so on; a flag wins
over its variable.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if mistakes := append(s.validate(), w.validate(s)...); len(mistakes) > 0 {
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
				if !d.copy.Synced() && time.Since(started) < startGrace {
					return fmt.Errorf("reading the record store")
				}
				return w.ready()
			}
			sv := solver.New(s.zone, d.store, check.Serves, d.log)
			return d.run(cmd.Context(), ready, w.runner(sv, d.log), sv)
		},
	}
	s.addFlags(cmd.Flags())
	w.addFlags(cmd.Flags())
	reportAll(cmd, args, func() []string { return append(s.validate(), w.validate(s)...) })
	return cmd
}
