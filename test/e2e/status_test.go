package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/signpost-acme/signpost/internal/poll"
	"github.com/signpost-acme/signpost/test/world"
)

// One domain, seen in a terminal: it waits for its record, is issued, and is at risk as
// soon as its owner takes the record away.
func TestStatusCommand(t *testing.T) {
	const domain = "status.example.com"
	status := func(args ...string) (code int, out string) {
		s := command(t, w.Kubeconfig, append([]string{"status", "--group-name", world.Zone}, args...)...)
		_ = s.cmd.Wait()
		return s.cmd.ProcessState.ExitCode(), s.String()
	}
	// becomes waits until the command says so, and returns all that it says.
	becomes := func(want string, wantCode int, args ...string) (out string) {
		t.Helper()
		poll.Until(t, 45*time.Second, "the command says "+want, func() error {
			code, text := status(args...)
			if out = text; code != wantCode || !strings.Contains(text, want) {
				return fmt.Errorf("exit code %d:\n%s", code, text)
			}
			return nil
		})
		return out
	}
	createIssuer(t, world.IssuerOptions{Name: "status"})
	target, err := world.Target(world.CertManagerNamespace, domain)
	if err != nil {
		t.Fatal(err)
	}
	createCertificate(t, "status", "status", "ClusterIssuer", "status", "*."+domain)
	t.Log("\n" + becomes("✕ Add this record", 0, domain)) // nothing is to be lost
	if out := becomes("waiting", 0, domain, "--from-here", "--private-addresses", "-o", "wide"); !strings.Contains(out, target) || !strings.Contains(out, "Add this record") {
		t.Errorf("from here:\n%s", out)
	}

	setCNAME(t, "example.com", domain, world.CertManagerNamespace)
	waitReady(t, "status", "status", "*."+domain)
	t.Log("\n" + becomes("✓ Ready", 0, domain))
	if out := becomes("1 renewing", 0, "-n", "status"); strings.Contains(out, domain) {
		t.Errorf("a domain is listed that needs nobody:\n%s", out)
	}

	poll.Until(t, 30*time.Second, "every replica knows what happened to the challenge", func() error { return wasChallenged(t, domain) })

	if err := w.Parent.RemoveCNAME(t.Context(), "example.com", domain); err != nil {
		t.Fatal(err)
	}
	out := becomes("would not be renewed", 1, "-n", "status", "--from-here", "--private-addresses")
	t.Log("\n" + out)
	if !strings.Contains(out, "✕ Certificates: 1 at-risk; the first that is at risk expires on ") || !strings.Contains(out, "_acme-challenge."+domain) {
		t.Errorf("the record is gone:\n%s", out)
	}
	leavesNothing(t)
}

// wasChallenged returns an error if a replica's page has no whole timeline of a domain's
// last challenge.
func wasChallenged(t *testing.T, domain string) error {
	for i := range 2 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+world.ReplicaAddress(i)+":8080/status.json?q="+domain, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var d struct {
			Domains []struct {
				History []struct {
					State                                      string
					Created, Presented, Decided, Cleaned, Gone time.Time
				}
			}
		}
		if err := json.NewDecoder(response.Body).Decode(&d); err != nil {
			return err
		}
		if len(d.Domains) != 1 || len(d.Domains[0].History) == 0 {
			return fmt.Errorf("replica %d: %+v", i, d)
		}
		h := d.Domains[0].History[0]
		if h.State != "valid" || h.Presented.IsZero() || h.Decided.Before(h.Presented) || h.Cleaned.Before(h.Decided) || h.Gone.IsZero() {
			return fmt.Errorf("replica %d: %+v", i, h)
		}
	}
	return nil
}

// As a plugin of kubectl it is the same.
func TestStatusIsAPlugin(t *testing.T) {
	bin, err := filepath.Abs("../../.cache/bin")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(bin, "signpost"), filepath.Join(dir, "kubectl-signpost")); err != nil {
		t.Fatal(err)
	}
	createIssuer(t, world.IssuerOptions{Name: "plugin"})
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "kubectl"), "signpost", "status", "--group-name", world.Zone, "-n", "kube-system", "-o", "json")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Kubeconfig, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderrOf(err))
	}
	var d struct {
		From  string
		Total int
	}
	if err := json.Unmarshal(out, &d); err != nil || d.From != "status page" || d.Total != 0 {
		t.Errorf("%v: %+v\n%s", err, d, out)
	}
}

// The Roles in docs/status-page.md give a user what the command needs, and no more than
// that: without one of them it says so.
func TestStatusRights(t *testing.T) {
	const domain, namespace = "rights.example.com", "status-rights"
	createIssuer(t, world.IssuerOptions{Name: "status-rights"})
	setCNAME(t, "example.com", domain, world.CertManagerNamespace)
	createCertificate(t, namespace, "rights", "ClusterIssuer", "status-rights", domain)
	waitReady(t, namespace, "rights", domain)
	text, err := os.ReadFile("../../docs/status-page.md")
	if err != nil {
		t.Fatal(err)
	}
	var roles strings.Builder
	for i, block := range strings.Split(string(text), "```yaml\n") {
		block, _, _ = strings.Cut(block, "\n```")
		if i > 0 && strings.Contains(block, "rbac.authorization.k8s.io") {
			roles.WriteString("---\n" + strings.ReplaceAll(block, "\n  namespace: web\n", "\n  namespace: "+namespace+"\n") + "\n")
		}
	}
	if err := w.Apply(t.Context(), roles.String()); err != nil {
		t.Fatal(err)
	}
	// bind gives a user a role; in a namespace, or "" for a ClusterRole.
	bind := func(user, namespace, role string) {
		kind, in := "ClusterRole", ""
		if namespace != "" {
			kind, in = "Role", ", namespace: "+namespace
		}
		if err := w.Apply(t.Context(), fmt.Sprintf("{apiVersion: rbac.authorization.k8s.io/v1, kind: %[1]sBinding, metadata: {name: %[2]s-%[3]s%[4]s}, "+
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %[1]s, name: %[3]s}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[2]s}]}", kind, user, role, in)); err != nil {
			t.Fatal(err)
		}
	}
	bind("status-page", "", "signpost-status")
	bind("status-page", "signpost", "signpost-status")
	bind("status-here", "", "signpost-status")
	bind("status-here", "", "signpost-status-from-here")
	bind("status-one", "", "signpost-status-namespaced")
	bind("status-one", namespace, "signpost-status")
	bind("status-less", namespace, "signpost-status")
	admin, err := clientcmd.LoadFromFile(w.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		user  string
		args  []string
		code  int
		says  string
		wants bool // the domain in the list
	}{
		{"status-page", []string{domain}, 0, "✓ Record store: Works", true},
		{"status-here", []string{domain, "--from-here", "--private-addresses"}, 0, "✓ DNS server of", true},
		{"status-one", []string{domain, "-n", namespace, "--private-addresses"}, 0, "the records are looked up from this machine instead", true},
		{"status-one", []string{"-n", "no-such-namespace"}, 1, "namespace no-such-namespace does not exist", false},
		{"status-one", nil, 1, "reading Certificates: you may not", false},
		{"status-less", []string{"-n", namespace, "--zone", world.Zone, "--private-addresses"}, 1, "? ClusterIssuers: you may not read them", false},
	} {
		user := admin.DeepCopy()
		for _, info := range user.AuthInfos {
			info.Impersonate = tc.user
		}
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if err := clientcmd.WriteToFile(*user, path); err != nil {
			t.Fatal(err)
		}
		var out string
		var code int
		poll.Until(t, 45*time.Second, tc.user+" is told so", func() error {
			s := command(t, path, append([]string{"status", "--group-name", world.Zone}, tc.args...)...)
			_ = s.cmd.Wait()
			code, out = s.cmd.ProcessState.ExitCode(), s.String()
			if code != tc.code || !strings.Contains(out, tc.says) || strings.Contains(out, domain) != tc.wants {
				return fmt.Errorf("%q: exit code %d:\n%s", tc.args, code, out)
			}
			return nil
		})
		if strings.Contains(out, "could not be read") != (tc.user == "status-less") {
			t.Errorf("%s %q:\n%s", tc.user, tc.args, out)
		}
	}
	leavesNothing(t)
}

// stderrOf is what a command that has failed has said beside its output.
func stderrOf(err error) []byte {
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return failed.Stderr
	}
	return nil
}
