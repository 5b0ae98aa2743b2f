package world

import (
	"context"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/signpost-acme/signpost/test/process"

	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options says what to start.
type Options struct {
	Dir      string // for configuration, keys and logs; must exist and be empty
	Bin      string // where hack/setup puts etcd, kube-apiserver, kubectl, pebble, cert-manager and signpost
	Replicas int    // of signpost, 1 to 4

	// Secondaries are kinds of nameservers, of recipes.Kinds, one of each: the zone is
	// delegated to them alone, and the replicas are hidden primaries. At most two.
	Secondaries []string

	// Signed has the zones above ours signed, from the root down (RFC 4033). Ours has no
	// DS record there.
	Signed bool

	// Node is for a cluster with a real node: pods run, and nothing is installed.
	// Replicas must be 0; cert-manager and signpost are for whoever uses it.
	Node bool

	// NoCertManager leaves out cert-manager's controllers, for a caller that does
	// their part itself. Its resources and rights are there.
	NoCertManager bool

	// CertManagerFlags are for cert-manager's controllers, beside our own.
	CertManagerFlags []string

	// Step, if set, is told what is being done, for people.
	Step func(format string, args ...any)
}

// World is everything, running.
type World struct {
	Options
	Kubeconfig string // of the admin
	Kube       kubernetes.Interface
	CM         cmclient.Interface
	objects    *anyObject

	Parent   *Parent
	CA       *process.Process // Pebble
	Redis    *Redis
	Replicas []*Replica

	Secondaries []*Secondary

	node        *node
	ca          *authority // of everything inside, but of the certificates that are issued
	api         *process.Process
	certManager *process.Process
	serving     []string // flags of every signpost serve

	place place
	first *World // that this one shares the Internet with; nil for the first

	mu        sync.Mutex
	processes []*process.Process // in the order in which they were started
	died      error
}

// place is where the parts of a cluster are.
type place struct {
	api     string // address
	etcd    int    // port for clients; the next one is for peers
	replica int    // number of the first one
}

// Start starts everything. Whatever it started is ended if it fails.
func Start(ctx context.Context, o Options) (w *World, err error) {
	w = &World{Options: o, place: place{api: APIAddress, etcd: 2379}}
	if o.Step == nil {
		w.Step = func(string, ...any) {}
	}
	defer func() {
		if err != nil {
			w.Stop()
		}
	}()
	if w.ca, err = newAuthority(w.Dir, "sandbox-ca"); err != nil {
		return w, err
	}
	redis := ", Redis"
	if o.Node {
		redis = ""
	}
	w.Step("starting the Internet (root, com and example.com; a resolver; a CA)%s and a Kubernetes control plane", redis)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { errs[0] = w.startInternet(ctx) })
	wg.Go(func() { errs[1] = w.startControlPlane(ctx) })
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return w, err
	}
	if o.Node {
		w.Step("starting a node")
		return w, errors.Join(w.startNode(ctx), w.Err())
	}
	return w, w.install(ctx)
}

// install installs cert-manager and signpost.
func (w *World) install(ctx context.Context) error {
	w.Step("installing cert-manager")
	if err := w.installCertManager(ctx); err != nil {
		return err
	}
	w.Step("starting %d replicas of signpost behind an APIService", w.Options.Replicas)
	if err := w.installSignpost(ctx); err != nil {
		return err
	}
	return w.Err()
}

// startInternet starts what needs no cluster.
func (w *World) startInternet(ctx context.Context) (err error) {
	nsd, err := process.Look("nsd")
	if err != nil {
		return err
	}
	unbound, err := process.Look("unbound")
	if err != nil {
		return err
	}
	redis, err := process.Look("redis-server") // on a node it runs in a pod
	if err != nil {
		return err
	}
	if w.Parent, err = newParent(ctx, w.Dir, nsd, w.Options); err != nil {
		return err
	}
	resolver, err := newResolver(w.Dir, unbound)
	if err != nil {
		return err
	}
	if w.CA, err = newCA(w.Dir, w.tool("pebble"), w.ca); err != nil {
		return err
	}
	w.Redis = newRedis(w.Dir, redis)
	addresses := map[*process.Process]string{w.Parent.Process: ParentAddress + ":53", resolver: ResolverAddress + ":53", w.CA: CAAddress + ":14000"}
	if !w.Node {
		addresses[w.Redis.Process] = RedisAddress
	}
	for p := range addresses {
		if err := w.start(p); err != nil {
			return err
		}
	}
	for p, address := range addresses {
		if err := p.Listens(ctx, address); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends everything, in the reverse order: the replicas as Kubernetes does,
// the rest by force, because nothing of it is kept.
func (w *World) Stop() {
	var wg sync.WaitGroup
	for _, r := range w.Replicas {
		wg.Go(func() { r.End(syscall.SIGTERM) })
	}
	wg.Wait()
	w.mu.Lock()
	processes := slices.Clone(w.processes)
	w.mu.Unlock()
	for _, p := range slices.Backward(processes) {
		p.End(syscall.SIGKILL)
	}
	if w.node != nil {
		w.node.remove()
	}
}

// Err returns why a process has ended although nobody wanted it to; nil if none has.
func (w *World) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.died
}

func (w *World) process(name, bin string, args ...string) *process.Process {
	return &process.Process{Name: name, Dir: w.Dir, Args: append([]string{bin}, args...)}
}

// start starts a process, and remembers it for Stop.
func (w *World) start(p *process.Process) error {
	w.mu.Lock()
	if !slices.Contains(w.processes, p) {
		w.processes = append(w.processes, p)
	}
	w.mu.Unlock()
	return p.Start(func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.died = errors.Join(w.died, err)
	})
}

func (w *World) tool(name string) string { return filepath.Join(w.Bin, name) }

// connect makes the admin's clients.
func (w *World) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", w.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // our own server: no need to be polite
	config.WarningHandler = rest.NoWarnings{}
	if w.Kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if w.CM, err = cmclient.NewForConfig(config); err != nil {
		return err
	}
	w.objects, err = newAnyObject(config)
	return err
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}
