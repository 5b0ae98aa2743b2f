package cluster

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// lister reads one page of a kind's objects, in a namespace or in all.
type lister func(ctx context.Context, namespace string, opts metav1.ListOptions) (runtime.Object, error)

// listsIn makes a lister of the client of a kind that has namespaces.
func listsIn[L runtime.Object, C interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
}](client func(namespace string) C) lister {
	return func(ctx context.Context, namespace string, opts metav1.ListOptions) (runtime.Object, error) {
		return client(namespace).List(ctx, opts)
	}
}

// lists makes a lister of the client of a kind that has none.
func lists[L runtime.Object](client interface {
	List(ctx context.Context, opts metav1.ListOptions) (L, error)
}) lister {
	return func(ctx context.Context, _ string, opts metav1.ListOptions) (runtime.Object, error) {
		return client.List(ctx, opts)
	}
}

// Missing is a kind of objects that a user may not read, and is needed to tell all.
type Missing struct {
	Kind string // as in "ClusterIssuers in namespace web", without "reading"
	Err  error  // why; it says the same in whole

	// Decides is set for Issuers: of Certificates it cannot be told then whether they
	// use Signpost.
	Decides bool
}

// Load reads everything once, page by page, that Run follows: for a command with the
// rights of its user. A namespace narrows it to the objects in that one; "" is for all.
// Without Certificates there is nothing to say: that is the error. What else may not be
// read is left out, and returned as missing, unless no Certificate and no request needs
// it. It must not be called beside Run, nor by two goroutines.
func (x *Cluster) Load(ctx context.Context, namespace string) (missing []Missing, err error) {
	for _, k := range x.kinds() {
		m := Missing{Kind: x.titleOf(k), Decides: k == &x.issuers || k == &x.clusterIssuers}
		if k != &x.clusterIssuers && k != &x.signingRequests {
			m.Kind += within(namespace)
		}
		err := x.load(ctx, k, namespace)
		m.Err = Explain(err, "reading "+m.Kind)
		switch {
		case err == nil:
		case k == &x.signingRequests: // few people may read them, and few clusters have any for us
		case k == &x.certificates || !apierrors.IsForbidden(err):
			return nil, m.Err
		case k == &x.issuers && !x.uses(kindIssuer), k == &x.clusterIssuers && !x.uses(kindClusterIssuer):
		default:
			missing = append(missing, m)
		}
		k.loaded = true
	}
	x.issuersChanged.Add(1) // what is remembered of requests is out of date
	return missing, nil
}

// titleOf is what people call the objects of a kind.
func (x *Cluster) titleOf(k *kind) string {
	return map[*kind]string{&x.challenges: "Challenges", &x.certificates: "Certificates", &x.requests: "CertificateRequests",
		&x.signingRequests: "CertificateSigningRequests", &x.issuers: "Issuers", &x.clusterIssuers: "ClusterIssuers"}[k]
}

// uses reports whether a Certificate or a request that has been loaded names an Issuer of
// that kind. It is for Load, which reads the Issuers last.
func (x *Cluster) uses(issuerKind string) bool {
	for _, o := range x.certificates.list() {
		c := o.(*certificate)
		if i := c.issuer.Value(); refIn(c.Namespace, i.Kind, i.Name).Kind == issuerKind && !foreign(i.Group) {
			return true
		}
	}
	for _, o := range x.requests.list() {
		if o.(*request).issuer.Value().Kind == issuerKind {
			return true
		}
	}
	return false
}

func (x *Cluster) load(ctx context.Context, k *kind, namespace string) error {
	var list []any
	err := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
		return k.lister(ctx, namespace, opts)
	}).EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		kept, err := keep(o)
		list = append(list, kept)
		return err
	})
	if err != nil {
		list = nil
	}
	if replaced := k.informer.GetStore().Replace(list, ""); replaced != nil {
		return fmt.Errorf("%s: %w", k.name, replaced)
	}
	return err
}
