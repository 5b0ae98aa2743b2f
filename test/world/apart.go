package world

import (
	"context"
	"crypto/x509"
	"slices"
	"syscall"

	"github.com/signpost-acme/signpost/test/process"
)

// Serve returns a signpost serve apart from the world's replicas, which the caller
// starts and ends. It reaches the cluster as they do, and its API is on port 8443;
// the rest, from --zone on, is the caller's.
func (w *World) Serve(name string, args ...string) *process.Process {
	return w.process(name, w.tool(signpost), slices.Concat([]string{"serve"}, w.serving, args)...)
}

// APIServerName is the name in the certificate of every signpost serve.
const APIServerName = signpost + "." + signpost + ".svc"

// CAs are the CAs of everything inside, but of the certificates that are issued.
func (w *World) CAs() *x509.CertPool { return w.ca.pool() }

// StopAPI ends the Kubernetes API server by force; etcd keeps what was in it.
func (w *World) StopAPI() { w.api.End(syscall.SIGKILL) }

// StartAPI starts it again and waits until it is ready.
func (w *World) StartAPI(ctx context.Context) error {
	if err := w.start(w.api); err != nil {
		return err
	}
	return w.apiReady(ctx)
}
