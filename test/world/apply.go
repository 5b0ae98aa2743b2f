package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/signpost-acme/signpost/internal/poll"
)

// anyObject reaches objects of every kind: what kubectl does here, without it.
type anyObject struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

func newAnyObject(config *rest.Config) (*anyObject, error) {
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	return &anyObject{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))}, err
}

// of returns where the objects of a kind are; a namespace that is missing is "default".
func (a *anyObject) of(kind schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	m, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) { // it may be new
		a.mapper.Reset()
		m, err = a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		return a.client.Resource(m.Resource), nil
	}
	if namespace == "" {
		namespace = "default"
	}
	return a.client.Resource(m.Resource).Namespace(namespace), nil
}

// Apply applies every object in YAML as kubectl apply --server-side does.
func (w *World) Apply(ctx context.Context, text string) error {
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		var o unstructured.Unstructured
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(o.Object) == 0 {
			continue
		}
		objects, err := w.objects.of(o.GroupVersionKind(), o.GetNamespace())
		if err == nil {
			_, err = objects.Apply(ctx, o.GetName(), &o, metav1.ApplyOptions{FieldManager: "sandbox"})
		}
		if err != nil {
			return fmt.Errorf("applying %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
}

// applyCRDs applies the CustomResourceDefinitions in the files of a folder, and
// waits until all can be used.
func (w *World) applyCRDs(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		return errors.Join(fmt.Errorf("no CustomResourceDefinitions in %s", dir), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := w.Apply(ctx, string(text)); err != nil {
			return err
		}
	}
	return w.Condition(ctx, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "Established")
}

// Condition waits until an object that belongs to no namespace has a condition;
// all of its kind, if name is empty.
func (w *World) Condition(ctx context.Context, apiVersion, kind, name, condition string) error {
	return poll.Try(ctx, time.Minute, strings.TrimSpace(kind+" "+name)+" "+condition, func() error {
		objects, err := w.objects.of(schema.FromAPIVersionAndKind(apiVersion, kind), "")
		if err != nil {
			return err
		}
		list, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		found := false
		for _, o := range list.Items {
			if name != "" && o.GetName() != name {
				continue
			}
			found = true
			if status := conditionStatus(&o, condition); status != "True" {
				return fmt.Errorf("%s of %s is %q", condition, o.GetName(), status)
			}
		}
		if !found {
			return errors.New("there is none")
		}
		return nil
	})
}

func conditionStatus(o *unstructured.Unstructured, kind string) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	i := slices.IndexFunc(conditions, func(c any) bool {
		m, ok := c.(map[string]any)
		return ok && m["type"] == kind
	})
	if i < 0 {
		return ""
	}
	status, _ := conditions[i].(map[string]any)["status"].(string)
	return status
}
