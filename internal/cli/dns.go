package cli

import (
	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/server"
)

func newDNSCommand() *cobra.Command {
	d := &server.DNS{}
	cmd := &cobra.Command{
		Use:   "dns",
		Short: "Serve DNS only: an extra nameserver, anywhere that reaches Redis",
		Long: `Serve DNS only: an extra nameserver, anywhere that reaches Redis. It needs no
Kubernetes. Every flag can also be given as an environment variable: --redis-url
as SIGNPOST_REDIS_URL, and so on; a flag wins over its variable.`,
		Example: "  signpost dns --zone acme.example.com --nameserver ns.example.com --redis-url redis://127.0.0.1:6379/0",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := validate(cmd, d.Validate); err != nil {
				return err
			}
			return asUsage(d.Run(cmd.Context(), cmd.ErrOrStderr()))
		},
	}
	d.AddFlags(cmd.Flags())
	return cmd
}
