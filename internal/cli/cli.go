// Package cli is the command line: one file per command, and what only commands
// need. It may import every other room; its proof is the sessions in testdata/cli.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFine  = 0
	exitError = 1 // something failed
	exitUsage = 2 // the command line or a setting is wrong
)

// Main runs the command line of this process and returns its exit code. SIGINT and
// SIGTERM end it in good order.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// run runs one command line and returns the exit code. It ends when ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "signpost",
		Short: "Wildcard certificates for any DNS provider, by one CNAME",
		Long: `Signpost solves cert-manager's DNS-01 challenges with a DNS server of its own.
The owner of a domain adds one CNAME, once; renewals then need nobody.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              noArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newServeCommand(), newDNSCommand(), newInitCommand(), newRecordsCommand(), newCheckCommand(), newIssueCommand(), newStatusCommand(), newInviteCommand(), newEndChallengesCommand(), newVersionCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err.Error()} })
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitFine
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		if usage.needsHelp() {
			fmt.Fprintf(stderr, "hint: signpost help shows the commands, and signpost help <command> its flags\n")
		}
		return exitUsage
	}
	return exitError
}

// usageError is every mistake in a command line, or in the settings behind it.
type usageError []string

func (e usageError) Error() string {
	if len(e) == 1 {
		return e[0]
	}
	return fmt.Sprintf("%d mistakes in the settings:\n  %s", len(e), strings.Join(e, "\n  "))
}

// needsHelp reports whether a mistake is one that signpost help is for, and not in the
// value of a flag or in a domain, of which the mistake says all.
func (e usageError) needsHelp() bool {
	return slices.ContainsFunc(e, func(mistake string) bool {
		ofValue := func(begin string) bool { return strings.HasPrefix(mistake, begin) }
		return !slices.ContainsFunc([]string{"--", envPrefix, "domain "}, ofValue) || strings.Contains(mistake, ": is needed:")
	})
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return usageError{fmt.Sprintf("there is no command %q", args[0])}
	}
	return usageError{fmt.Sprintf("%s takes no arguments, but got %q", cmd.CommandPath(), args[0])}
}
