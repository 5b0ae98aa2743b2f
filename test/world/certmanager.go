package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// CertManagerNamespace is cert-manager's own, and so the scope of every ClusterIssuer.
const CertManagerNamespace = "cert-manager"

// installCertManager installs cert-manager's CRDs and rights, as its own chart
// has them, and runs its controllers as its ServiceAccount.
func (w *World) installCertManager(ctx context.Context) error {
	module := otherCertManager()
	if module == "" {
		var err error
		if module, err = ModuleDir("github.com/cert-manager/cert-manager"); err != nil {
			return err
		}
	}
	rights, err := RenderChart(filepath.Join(module, "deploy/charts/cert-manager"), "cert-manager", CertManagerNamespace, "", "/templates/rbac.yaml")
	if err != nil {
		return err
	}
	kubeconfig, err := w.serviceAccount(ctx, CertManagerNamespace, "cert-manager")
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var errCRDs, errRights error
	wg.Go(func() { errCRDs = w.applyCRDs(ctx, filepath.Join(module, "deploy/crds")) })
	wg.Go(func() { errRights = w.Apply(ctx, rights) })
	wg.Wait()
	if err := errors.Join(errCRDs, errRights); err != nil {
		return fmt.Errorf("installing cert-manager: %w", err)
	}
	if w.NoCertManager {
		return nil
	}
	flags := []string{"--kubeconfig", kubeconfig, "-v", "2", "--dns01-recursive-nameservers", ResolverAddress + ":53", "--dns01-recursive-nameservers-only"}
	w.certManager = w.process("cert-manager", w.tool("cert-manager"), append(flags, w.CertManagerFlags...)...)
	return w.start(w.certManager)
}

// CertManagerOutput returns what cert-manager's controllers have printed.
func (w *World) CertManagerOutput() string { return w.certManager.Output() }

// otherCertManager is the folder of the module of another version of cert-manager than
// the tests' own, empty for that: hack/compatibility sets it.
func otherCertManager() string { return os.Getenv("SIGNPOST_TEST_CERT_MANAGER") }

// SelfChecks reports whether cert-manager is older than waitInsteadOfSelfCheck: it
// waits for a minute before the CA asks.
func SelfChecks() bool { return otherCertManager() != "" }

// ModuleDir returns where the sources of a module that this one needs are.
func ModuleDir(path string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w: %s", path, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
