package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// startClusterDNS starts CoreDNS, which pods ask: for Services it asks the API
// server, for the rest the resolver.
func (w *World) startClusterDNS(ctx context.Context) error {
	file := filepath.Join(w.Dir, "Corefile")
	err := os.WriteFile(file, []byte(fmt.Sprintf(`.:53 {
  bind %s
  errors
  kubernetes cluster.local {
    kubeconfig %s
    ttl 0
  }
  forward . %s
}
`, ClusterDNSAddress, w.Kubeconfig, ResolverAddress)), 0o600)
	if err != nil {
		return err
	}
	p := w.process("coredns", w.tool("coredns"), "-conf", file)
	if err := w.start(p); err != nil {
		return err
	}
	return p.Listens(ctx, ClusterDNSAddress+":53")
}
