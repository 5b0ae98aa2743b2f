package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// CertManagerNamespace is cert-manager's own, and so the scope of every ClusterIssuer.
const CertManagerNamespace = "cert-manager"

// installCertManager installs cert-manager's CRDs and rights, as its own chart
// has them, and runs its controllers as its ServiceAccount.
func (w *World) installCertManager(ctx context.Context) error {
	module, err := ModuleDir("github.com/cert-manager/cert-manager")
	if err != nil {
		return err
	}
	rights, err := renderChart(filepath.Join(module, "deploy/charts/cert-manager"), CertManagerNamespace, "rbac.yaml")
	if err != nil {
		return err
	}
	kubeconfig, err := w.serviceAccount(ctx, CertManagerNamespace, "cert-manager")
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var errCRDs, errRights error
	wg.Go(func() {
		_, errCRDs = w.Kubectl(ctx, "", "apply", "--server-side", "-f", filepath.Join(module, "deploy/crds"))
		if errCRDs == nil {
			_, errCRDs = w.Kubectl(ctx, "", "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
		}
	})
	wg.Go(func() { errRights = w.Apply(ctx, rights) })
	wg.Wait()
	if err := errors.Join(errCRDs, errRights); err != nil {
		return fmt.Errorf("installing cert-manager: %w", err)
	}
	if w.NoCertManager {
		return nil
	}
	w.certManager = w.process("cert-manager", w.tool("cert-manager"), "--kubeconfig", kubeconfig, "-v", "2",
		"--dns01-recursive-nameservers", ResolverAddress+":53", "--dns01-recursive-nameservers-only")
	return w.start(w.certManager)
}

// renderChart renders one template of a chart with its default values.
func renderChart(dir, namespace, template string) (string, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return "", err
	}
	values, err := chartutil.ToRenderValues(chart, nil, chartutil.ReleaseOptions{Name: chart.Name(), Namespace: namespace, IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return "", err
	}
	for name, text := range files {
		if strings.HasSuffix(name, "/templates/"+template) {
			return text, nil
		}
	}
	return "", fmt.Errorf("the chart %s has no template %s", chart.Name(), template)
}

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
