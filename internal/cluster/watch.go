// Package cluster is what Kubernetes knows of our work: Issuers and their solver
// selection, Certificates, requests, Orders, and the Challenges that we solve. It may
// import zone; its proof is in its tests, against cert-manager's own selection, and
// in test/e2e.
package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	cmclient "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned"
	cminformers "github.com/cert-manager/cert-manager/pkg/client/informers/externalversions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/signpost-acme/signpost/internal/zone"
)

// Config says which cluster, and which of its objects are ours.
type Config struct {
	Rest   *rest.Config
	Group  string // API group of the webhook, as Issuers name it
	Solver string // and the solver's name

	// Namespace is cert-manager's cluster resource namespace, the scope of
	// ClusterIssuers.
	Namespace string

	// Strict makes the namespace of a Challenge its scope under a ClusterIssuer too.
	Strict bool

	Zone *zone.Zone

	Gate                 bool        // Orders are decided on: see Order
	Protected            []IssuerRef // named in the gate's settings
	GateClusterNamespace bool        // with Strict, Orders in Namespace are let through too
	GateOthers           bool        // what another DNS-01 solver gets is looked at too: see Wanted.Others

	// Unchecked reports whether a solver's config turns the look at the CNAME off.
	Unchecked func(*apiextensionsv1.JSON) bool

	Challenges   bool // follow Challenges
	Certificates bool // follow Certificates
	Requests     bool // follow CertificateRequests and CertificateSigningRequests
	// Issuers and ClusterIssuers are followed for Gate, Certificates and Requests.

	Log *slog.Logger
}

// Cluster follows the objects in a cluster. Its methods may be called from many
// goroutines; what they return is as stale as the watch, and empty
// until Run has read it.
type Cluster struct {
	config Config
	kube   kubernetes.Interface
	cm     cmclient.Interface

	challenges      kind
	certificates    kind
	requests        kind
	signingRequests kind
	issuers         kind
	clusterIssuers  kind

	strict  tenants
	issuing issuing

	issuersChanged atomic.Uint64 // how often, so far
	changes        atomic.Uint64 // of everything
	changed        chan struct{}
}

// New returns a Cluster that knows nothing yet: see Run. It connects to nothing.
func New(c Config) (*Cluster, error) {
	kube, err := kubernetes.NewForConfig(c.Rest)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	cm, err := cmclient.NewForConfig(c.Rest)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return newCluster(c, kube, cm)
}

func newCluster(c Config, kube kubernetes.Interface, cm cmclient.Interface) (*Cluster, error) {
	x := &Cluster{config: c, kube: kube, cm: cm, changed: make(chan struct{}, 1)}
	f := cminformers.NewSharedInformerFactory(cm, 0)
	v1, client := f.Certmanager().V1(), cm.CertmanagerV1()
	if c.Challenges {
		x.challenges = kind{name: "challenges", informer: f.Acme().V1().Challenges().Informer(), may: mayFollow(cm.AcmeV1().Challenges("")), lister: listsIn(cm.AcmeV1().Challenges)}
		if err := x.challenges.informer.AddIndexers(cache.Indexers{byProcessing: processing}); err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
	}
	if c.Certificates {
		x.certificates = kind{name: "certificates", informer: v1.Certificates().Informer(), may: mayFollow(client.Certificates("")), lister: listsIn(client.Certificates)}
	}
	if c.Requests {
		x.requests = kind{name: "certificaterequests", informer: v1.CertificateRequests().Informer(), may: mayFollow(client.CertificateRequests("")), lister: listsIn(client.CertificateRequests)}
		signing := kube.CertificatesV1().CertificateSigningRequests()
		informer := informers.NewSharedInformerFactory(kube, 0).Certificates().V1().CertificateSigningRequests().Informer()
		x.signingRequests = kind{name: "certificatesigningrequests", informer: informer, may: mayFollow(signing), lister: lists(signing)}
	}
	if c.Certificates || c.Requests || c.Gate {
		x.issuers = kind{name: "issuers", informer: v1.Issuers().Informer(), may: mayFollow(client.Issuers("")), lister: listsIn(client.Issuers)}
		x.clusterIssuers = kind{name: "clusterissuers", informer: v1.ClusterIssuers().Informer(), may: mayFollow(client.ClusterIssuers()), lister: lists(client.ClusterIssuers())}
	}
	for _, k := range x.kinds() {
		_ = k.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}) // already logged by follow
		_ = k.informer.SetTransform(keep)
	}
	for _, k := range []kind{x.challenges, x.requests, x.signingRequests, x.certificates, x.issuers, x.clusterIssuers} {
		if k.informer == nil {
			continue
		}
		change := func(o any) {
			x.changes.Add(1)
			if k.informer == x.challenges.informer {
				return
			}
			x.strict.note(c, o)
			if k.informer == x.issuers.informer || k.informer == x.clusterIssuers.informer {
				x.issuersChanged.Add(1)
			}
			x.signal()
		}
		handler := cache.ResourceEventHandlerFuncs{AddFunc: change, UpdateFunc: func(_, o any) { change(o) }, DeleteFunc: change}
		if _, err := k.informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
	}
	return x, nil
}

// Changed receives after a change to what Requests and Issuing return. Several
// changes may be one.
func (x *Cluster) Changed() <-chan struct{} { return x.changed }

// Changes returns how many changes there have been of what is followed, so far: while it
// stays the same, so does all that a Cluster returns.
func (x *Cluster) Changes() uint64 {
	n := x.changes.Load()
	for _, k := range x.kinds() {
		if k.synced() { // before, what is known of it already is not returned
			n++
		}
	}
	return n
}

func (x *Cluster) signal() {
	select {
	case x.changed <- struct{}{}:
	default:
	}
}

// Ready reports whether the Issuers have been read, without which no Order can be
// decided on.
func (x *Cluster) Ready() bool { return x.issuers.synced() && x.clusterIssuers.synced() }

func (x *Cluster) kinds() (kinds []*kind) {
	for _, k := range []*kind{&x.challenges, &x.certificates, &x.requests, &x.signingRequests, &x.issuers, &x.clusterIssuers} {
		if k.informer != nil {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// kind is one kind of objects that is followed; the zero kind is not.
type kind struct {
	name     string
	informer cache.SharedIndexInformer
	may      func(ctx context.Context) error // tries to
	lister   lister
	loaded   bool // by Load
}

// mayFollow returns what tries whether a kind may be listed and watched.
func mayFollow[L any](client interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if _, err := client.List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return err
		}
		w, err := client.Watch(ctx, metav1.ListOptions{})
		if err == nil {
			w.Stop()
		}
		return err
	}
}

func (k *kind) synced() bool { return k.informer != nil && (k.loaded || k.informer.HasSynced()) }

// list returns the objects, nil if they are not followed.
func (k *kind) list() []any {
	if !k.synced() {
		return nil
	}
	return k.informer.GetStore().List()
}

const (
	tryTimeout = 10 * time.Second
	retryPause = 10 * time.Second
)

// Run follows until ctx is done. A kind that it may not read, or that does not exist,
// is logged once and retried every retryPause.
func (x *Cluster) Run(ctx context.Context) {
	for _, k := range x.kinds() {
		go x.follow(ctx, k)
	}
	<-ctx.Done()
}

func (x *Cluster) follow(ctx context.Context, k *kind) {
	said := false
	for {
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		err := k.may(try)
		cancel()
		if err == nil {
			break
		}
		if !said && ctx.Err() == nil {
			said = true
			x.config.Log.Warn("cert-manager's "+k.name+" cannot be read; what needs them is off until they can (certificates are issued all the same)", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPause):
		}
	}
	if said {
		x.config.Log.Info("cert-manager's " + k.name + " can be read now")
	}
	k.informer.RunWithContext(ctx)
}

// scope returns the namespace that a challenge's target belongs to.
func (x *Cluster) scope(issuerKind, namespace string) string {
	if issuerKind == "ClusterIssuer" && !x.config.Strict {
		return x.config.Namespace
	}
	return namespace
}
