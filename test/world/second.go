package world

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Second starts a second cluster beside the first, with as many replicas. The Internet,
// the CA and Redis are the first one's, and so are the nameservers of the zone: what
// is presented in the second cluster is asked for at the first. Stop and Kill end what
// is its own.
func (w *World) Second(ctx context.Context) (second *World, err error) {
	second = &World{Options: w.Options, place: place{api: secondAPIAddress, etcd: 22379, replica: len(w.Replicas)},
		first: w, Parent: w.Parent, CA: w.CA, Redis: w.Redis}
	second.Dir = filepath.Join(w.Dir, "second")
	defer func() {
		if err != nil {
			second.Stop()
		}
	}()
	if err := os.Mkdir(second.Dir, 0o700); err != nil {
		return second, err
	}
	second.ca = &authority{dir: second.Dir, name: w.ca.name, cert: w.ca.cert, key: w.ca.key}
	if err := os.WriteFile(second.ca.certFile(), w.ca.pem(), 0o600); err != nil {
		return second, err
	}
	w.Step("starting a second control plane")
	if err := second.startControlPlane(ctx); err != nil {
		return second, err
	}
	return second, second.install(ctx)
}

// Kill ends the whole cluster at once, by force.
func (w *World) Kill() {
	w.mu.Lock()
	processes := slices.Clone(w.processes)
	w.mu.Unlock()
	for _, p := range processes {
		p.End(syscall.SIGKILL)
	}
}
