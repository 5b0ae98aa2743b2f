package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/signpost-acme/signpost/internal/server"
)

func newServeCommand() *cobra.Command {
	w := server.NewWebhook()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve cert-manager's webhook and DNS",
		Long: `Serve cert-manager's webhook and DNS. Every flag can also be given as an
environment variable: --redis-url as SIGNPOST_REDIS_URL, and so on; a flag wins
over its variable.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := validate(cmd, w.Validate); err != nil {
				return err
			}
			return asUsage(w.Run(cmd.Context(), cmd.ErrOrStderr()))
		},
	}
	w.AddFlags(cmd.Flags())
	return cmd
}

// validate takes the environment into the flags of a server, and returns every
// mistake as one usageError.
func validate(cmd *cobra.Command, options func(redisURLIsPublic bool) []string) error {
	public := cmd.Flags().Changed("redis-url")
	if mistakes := append(applyEnvironment(cmd.Flags()), options(public)...); len(mistakes) > 0 {
		return usageError(mistakes)
	}
	return nil
}

// asUsage makes a usageError of a setting that turned out to be wrong.
func asUsage(err error) error {
	var mistake server.MistakeError
	if errors.As(err, &mistake) {
		return usageError{mistake.Error()}
	}
	return err
}
