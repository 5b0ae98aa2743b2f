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

// Load reads everything once, page by page, that Run follows: for a command with the
// rights of its user. A namespace narrows it to the objects in that one; "" is for all.
// Without Certificates there is nothing to say: that is the error. What else may not be
// read counts as none, and is returned as missing. It must not be called beside Run, nor
// by two goroutines.
func (x *Cluster) Load(ctx context.Context, namespace string) (missing []error, err error) {
	for _, k := range x.kinds() {
		err := x.load(ctx, k, namespace)
		what := "reading " + k.name
		if namespace != "" && k != &x.clusterIssuers {
			what += " in namespace " + namespace
		}
		switch {
		case err == nil:
		case k == &x.signingRequests: // few people may read them, and few clusters have any for us
		case k == &x.certificates || !apierrors.IsForbidden(err):
			return nil, Explain(err, what)
		default:
			missing = append(missing, Explain(err, what))
		}
		k.loaded = true
	}
	x.issuersChanged.Add(1) // what is remembered of requests is out of date
	return missing, nil
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
