// Package demo issues a wildcard certificate for real on this machine, and says
// what happens while it does. There are two kinds: of processes, which is built in
// minutes, and on a real node, which needs Helm and all of its libraries.
package demo

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

// Where things are, from the folder test, in which the demo runs.
const (
	binDir  = "../.cache/bin"
	keepDir = "../.cache/demo"
)

// What the demo is asked for, by make's variables.
var (
	keep    = os.Getenv("KEEP") != ""
	compare = os.Getenv("COMPARE") != ""
)

// Kind is a kind of demo.
type Kind struct {
	Start     func(context.Context, world.Options) (*world.World, error)
	Show      func(context.Context, *world.World, *Narrator) error
	DNSServer string // the address of a DNS server of ours
	Node      bool   // pods run, on a real node
}

// Processes is the demo in which everything runs as a process, which takes seconds.
func Processes() Kind {
	return Kind{Start: startProcesses, Show: show, DNSServer: world.ReplicaAddress(0)}
}

// Main is the demo as a program.
func Main(k Kind) {
	config := world.Sandbox()
	if keep {
		config.Listeners, config.PIDFile = 1, filepath.Join(keepDir, "pid")
	}
	sandbox.Main(config, func() int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		if err := run(ctx, k); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("interrupted; everything is stopped")
			}
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return 0
	})
}

func run(ctx context.Context, k Kind) error {
	bin, err := filepath.Abs(binDir)
	if err != nil {
		return err
	}
	dir, err := workingDir()
	if err != nil {
		return err
	}
	n := newNarrator(os.Stdout)
	n.Title("Signpost demo: a wildcard certificate, issued for real on this machine")
	starting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	w, err := k.Start(starting, world.Options{Dir: dir, Bin: bin, Step: n.Step})
	if err != nil {
		return fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	defer w.Stop()
	if err := k.Show(ctx, w, n); err != nil {
		return fmt.Errorf("%w\n(logs are in %s)", err, dir)
	}
	if keep {
		return leaveRunning(ctx, w, n, k)
	}
	w.Stop()
	n.Step("stopped everything that was started")
	return os.RemoveAll(dir)
}

func startProcesses(ctx context.Context, o world.Options) (*world.World, error) {
	o.Replicas = 2
	return world.Start(ctx, o)
}

// show issues a certificate, and a second one for comparison if asked to.
func show(ctx context.Context, w *world.World, n *Narrator) error {
	target, err := world.Target(world.CertManagerNamespace, "example.com")
	if err != nil {
		return err
	}
	n.Title("Once, by whoever owns the domains")
	n.Say("The zone that Signpost serves is delegated to it (the sandbox's example.com has this already):")
	n.Code("acme.example.com.       NS    ns1.acme.example.com.\nacme.example.com.       NS    ns2.acme.example.com.",
		fmt.Sprintf("ns1.acme.example.com.   A     %s", world.ReplicaAddress(0)), fmt.Sprintf("ns2.acme.example.com.   A     %s", world.ReplicaAddress(1)))
	n.Say("and each domain gets one CNAME:")
	n.Code(fmt.Sprintf("_acme-challenge.example.com.   CNAME   %s.", target))
	if err := w.Parent.SetCNAME(ctx, "example.com", "example.com", target); err != nil {
		return err
	}
	n.Step("added the CNAME at the DNS of example.com")

	n.Title("Once, by the platform team")
	n.Code(issuerYAML)
	if err := newIssuer(ctx, w, n, world.IssuerOptions{Name: "signpost"}); err != nil {
		return err
	}
	n.Title("For every certificate")
	n.Code(CertificateYAML)
	quick, err := Issue(ctx, w, n, "wildcard", "signpost", "example.com", "*.example.com")
	if err != nil {
		return err
	}
	if compare {
		if err := compareWithSelfCheck(ctx, w, n, quick); err != nil {
			return err
		}
	}
	n.Title("Renewals need nobody: the CNAME stays, cert-manager and Signpost do the rest.")
	return nil
}

// compareWithSelfCheck issues a certificate as cert-manager does by default.
func compareWithSelfCheck(ctx context.Context, w *world.World, n *Narrator, quick time.Duration) error {
	n.Title("The same with cert-manager's default self-check (this takes a minute or two)")
	if err := newIssuer(ctx, w, n, world.IssuerOptions{Name: "self-check", SelfCheck: true}); err != nil {
		return err
	}
	target, err := world.Target(world.CertManagerNamespace, "example-two.com")
	if err != nil {
		return err
	}
	if err := w.Parent.SetCNAME(ctx, "example-two.com", "example-two.com", target); err != nil {
		return err
	}
	slow, err := Issue(ctx, w, n, "self-check", "self-check", "example-two.com", "*.example-two.com")
	if err != nil {
		return err
	}
	n.Title(fmt.Sprintf("Apply to Ready: %.1f s with waitInsteadOfSelfCheck: 0s, %.1f s with the default self-check", quick.Seconds(), slow.Seconds()))
	return nil
}

// workingDir returns an empty folder for logs and keys: a temporary one, or,
// for a demo that is left running, one that people find again.
func workingDir() (string, error) {
	if !keep {
		return os.MkdirTemp("", "signpost-demo-")
	}
	if err := os.RemoveAll(keepDir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(keepDir, 0o700); err != nil {
		return "", err
	}
	return filepath.Abs(keepDir)
}

// What the demo applies.
const issuerYAML = `apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata:
  name: signpost
spec:
  acme:
    server: ` + world.DirectoryURL + `   # Pebble, a real ACME server
    solvers:
      - waitInsteadOfSelfCheck: 0s
        dns01:
          webhook:
            groupName: ` + world.Zone + `
            solverName: signpost`

// CertificateYAML is the Certificate that both kinds show.
const CertificateYAML = `apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: wildcard
spec:
  secretName: wildcard
  dnsNames: [example.com, "*.example.com"]
  issuerRef: {kind: ClusterIssuer, name: signpost}`

// indent puts spaces before every line.
func indent(text, by string) string { return by + strings.ReplaceAll(text, "\n", "\n"+by) }
