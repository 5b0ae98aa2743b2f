package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/signpost-acme/signpost/test/process"
)

// Replica is one signpost serve.
type Replica struct {
	*process.Process
	w     *World
	index int
}

// ready waits until the replica says so.
func (r *Replica) ready(ctx context.Context) error {
	return r.Until(ctx, "get ready", process.Healthy(http.DefaultClient, "http://"+ReplicaAddress(r.index)+":8080/readyz"))
}

// Stop ends the replica as Kubernetes does, Kill by force.
func (r *Replica) Stop(ctx context.Context) error { r.End(syscall.SIGTERM); return r.w.endpoints(ctx) }

// Kill ends the replica by force.
func (r *Replica) Kill(ctx context.Context) error { r.End(syscall.SIGKILL); return r.w.endpoints(ctx) }

// Run starts the replica again and waits until it is ready.
func (r *Replica) Run(ctx context.Context) error {
	if err := r.w.start(r.Process); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	return r.w.endpoints(ctx)
}

// Log returns what the replica has printed so far.
func (r *Replica) Log() string { return r.Output() }

// Presenting is what the replicas' own metrics say of Present calls that succeeded.
type Presenting struct {
	Total      time.Duration
	Calls      int
	Within10ms int // of Calls
}

// Presenting returns it for all replicas together, since they were started.
func (w *World) Presenting() (p Presenting) {
	for _, r := range w.Replicas {
		resp, err := http.Get("http://" + ReplicaAddress(r.index) + ":8080/metrics")
		if err != nil {
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		for line := range strings.Lines(string(b)) {
			var n float64
			scan := func(name, more string) bool {
				_, err := fmt.Sscanf(line, `signpost_solver_duration_seconds_`+name+`{action="present",result="success"`+more+`} %g`, &n)
				return err == nil
			}
			switch {
			case scan("sum", ""):
				p.Total += time.Duration(n * float64(time.Second))
			case scan("count", ""):
				p.Calls += int(n)
			case scan("bucket", `,le="0.01"`):
				p.Within10ms += int(n)
			}
		}
	}
	return p
}

// PostDirectly posts to the API of the first replica, past the API server and
// without a client certificate, and returns the HTTP status.
func (w *World) PostDirectly(ctx context.Context, path, body string, header map[string]string) (int, error) {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.ca.pool(), ServerName: "signpost.signpost.svc"}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+ReplicaAddress(0)+":8443"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
