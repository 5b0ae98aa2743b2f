package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newDNSCommand(args []string) *cobra.Command {
	s := &settings{}
	cmd := &cobra.Command{
		Use:   "dns",
		Short: "Serve DNS only: an extra nameserver, anywhere that reaches Redis",
		Long: `Serve DNS only: an extra nameserver, anywhere that reaches Redis. It needs no
Kubernetes. Every flag can also be given as an environment variable: --redis-url
as SIGNPOST_REDIS_URL, and so on; a flag wins over its variable.`,
		Example: "  signpost dns --zone acme.example.com --nameserver ns.example.com --redis-url redis://127.0.0.1:6379/0",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if mistakes := s.validate(); len(mistakes) > 0 {
				return usageError(mistakes)
			}
			d, err := newDaemon(s, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return d.run(cmd.Context(), d.synced, nil)
		},
	}
	s.addFlags(cmd.Flags())
	reportAll(cmd, args, s.validate)
	return cmd
}

// synced is the readiness of a replica that only serves DNS: before it has read
// the records it would answer SERVFAIL.
func (d *daemon) synced() error {
	if !d.copy.Synced() {
		return errors.New("the record store has not been read yet")
	}
	return nil
}
