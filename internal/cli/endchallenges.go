package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/signpost-acme/signpost/internal/cluster"
	"github.com/signpost-acme/signpost/solver"
)

func newEndChallengesCommand() *cobra.Command {
	var (
		group, gate, kubeconfig, in string
		timeout                     time.Duration
	)
	cmd := &cobra.Command{
		Use:   "end-challenges",
		Short: "End the challenges that wait for Signpost, before it is uninstalled",
		Long: `End the challenges that wait for Signpost, before it is uninstalled: cert-manager
cleans up and removes its finalizers. A challenge that is left behind keeps its
namespace from being deleted. First the order gate goes, if --gate-configuration
names it: nobody would answer it any more. The chart runs this when it is
uninstalled.`,
		Args: noArgs,
	}
	validate := func() []string {
		mistakes := applyEnvironment(cmd.Flags())
		if group == "" {
			mistakes = append(mistakes, "--group-name: is needed: the groupName that Issuers name")
		}
		return mistakes
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if mistakes := validate(); len(mistakes) > 0 {
			return usageError(mistakes)
		}
		rules := clientcmd.NewDefaultClientConfigLoadingRules()
		rules.ExplicitPath = kubeconfig
		config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: in}).ClientConfig()
		if err != nil {
			return err
		}
		client, err := cluster.NewClient(config, solver.Name)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		if gate != "" {
			if err := client.RemoveGate(ctx, gate); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the order gate %s is removed\n", gate)
		}
		n, err := client.EndChallenges(ctx, group)
		if err != nil && gate != "" {
			err = fmt.Errorf("%w. The order gate is removed already; if Signpost is to stay, helm upgrade brings it back", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d challenges ended; none waits for Signpost\n", n)
		return nil
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&group, "group-name", "", "API group of the webhook, as Issuers name it")
	fs.StringVar(&gate, "gate-configuration", "", "name of the order gate's ValidatingWebhookConfiguration, which is deleted first (default: none)")
	fs.DurationVar(&timeout, "timeout", time.Minute, "how long cert-manager may take to clean up")
	fs.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig file (default: as kubectl; in a pod, its own rights)")
	fs.StringVar(&in, "context", "", "context in it (default: the current one)")
	return cmd
}
