package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/solver"
	"github.com/signpost-acme/signpost/test/world"
)

// session is a signpost command that runs, and what it has printed so far.
type session struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out strings.Builder
}

func (s *session) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *session) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// command starts signpost with these arguments, as a user with the kubeconfig.
func command(t *testing.T, kubeconfig string, args ...string) *session {
	t.Helper()
	bin, err := filepath.Abs("../../.cache/bin/signpost")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	s := &session{cmd: exec.CommandContext(ctx, bin, args...)}
	s.cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	s.cmd.Stdout, s.cmd.Stderr = s, s
	t.Cleanup(cancel)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *session) wants(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.String(), text) {
			t.Errorf("it does not say %q:\n%s", text, s)
		}
	}
}

// From "I want *.command.example.com" to Ready, by one command and one record.
func TestIssueCommand(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "command"})
	if err := w.Namespace(t.Context(), "command"); err != nil {
		t.Fatal(err)
	}
	target, err := world.Target("cert-manager", "command.example.com")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"issue", "*.command.example.com", "-n", "command", "--issuer", "ClusterIssuer/command"}
	first := command(t, w.Kubeconfig, args...)
	eventually(t, "the record to add is shown, and that it is missing", func() bool {
		return strings.Contains(first.String(), target) && strings.Contains(first.String(), "… ")
	})
	_ = first.cmd.Process.Signal(syscall.SIGINT)
	if err := first.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	first.wants(t, "created Certificate wildcard-command-example-com in namespace command", "_acme-challenge.command.example.com.  CNAME  "+target, " goes on")

	again := command(t, w.Kubeconfig, args...)
	eventually(t, "the Certificate is found again", func() bool { return strings.Contains(again.String(), "is there already") })
	setCNAME(t, "example.com", "command.example.com", "cert-manager")
	if err := again.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, again)
	}
	t.Log("\n" + again.String())
	again.wants(t, "the record _acme-challenge.command.example.com is seen", "the certificate is Ready", "in Secret wildcard-command-example-com, in namespace command")
	waitReady(t, "command", "wildcard-command-example-com", "*.command.example.com")
	leavesNothing(t)
}

// The wait for the CA says how often the record was asked for: that comes from
// the status page, through the API server.
func TestIssueCommandCountsQuestions(t *testing.T) {
	// With the others that wait for the self-check.
	t.Parallel()
	createIssuer(t, world.IssuerOptions{Name: "counts", SelfCheck: true}) // waits for a minute, in which we ask
	setCNAME(t, "example.com", "counts.example.com", "cert-manager")
	if err := w.Namespace(t.Context(), "counts"); err != nil {
		t.Fatal(err)
	}
	s := command(t, w.Kubeconfig, "issue", "counts.example.com", "-n", "counts", "--issuer", "ClusterIssuer/counts")
	target, err := world.Target(world.CertManagerNamespace, "counts.example.com")
	if err != nil {
		t.Fatal(err)
	}
	poll.Until(t, time.Minute, "the command says how often the record was asked for", func() error {
		// Another test empties Redis meanwhile, and with it the counts of before.
		if _, err := solver.DNSServes(t.Context(), world.ReplicaAddress(0)+":53", target, ""); err != nil {
			return err
		}
		if !strings.Contains(s.String(), "it was asked for ") {
			return errors.New(s.String())
		}
		return nil
	})
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.wants(t, "the certificate is Ready")
	leavesNothingOf(t, world.CertManagerNamespace, "counts.example.com")
}

// What cannot work is said in one sentence, before anything is changed.
func TestIssueCommandRefuses(t *testing.T) {
	createIssuer(t, world.IssuerOptions{Name: "refuses"})
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"*.co.uk", "--issuer", "ClusterIssuer/refuses"}, 2, "public suffix"},
		{[]string{"*.foo.acme.example.com", "--issuer", "ClusterIssuer/refuses"}, 2, "the zone that Signpost itself serves"},
		{[]string{"*.example.com", "--issuer", "ClusterIssuer/none"}, 1, "does not exist, or does not use Signpost"},
		{[]string{"*.example.com", "--issuer", "ClusterIssuer/refuses", "-n", "no-such-namespace"}, 1, "no-such-namespace"},
	} {
		s := command(t, w.Kubeconfig, append([]string{"issue"}, tc.args...)...)
		_ = s.cmd.Wait()
		if code := s.cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(s.String(), tc.want) {
			t.Errorf("%q: exit code %d, want %d and %q:\n%s", tc.args, code, tc.code, tc.want, s)
		}
	}
	// Our own ServiceAccount may read Issuers, but not create Certificates.
	s := command(t, filepath.Join(w.Dir, "signpost.kubeconfig"), "issue", "*.example.com", "-n", "default", "--issuer", "ClusterIssuer/refuses")
	if _ = s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("without the right to create Certificates: exit code %d", s.cmd.ProcessState.ExitCode())
	}
	s.wants(t, "creating Certificate wildcard-example-com in namespace default: you may not")
}
