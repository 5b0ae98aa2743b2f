package chart

import (
	"errors"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
)

// cluster answers lookup with objects of its own, as a real one would.
type cluster struct{ client dynamic.Interface }

func (c cluster) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	return c.client.Resource(gv.WithResource(strings.ToLower(kind) + "s")), kind != "Namespace" && kind != "CustomResourceDefinition", err
}

func inCluster(t *testing.T, certManager bool, objects ...runtime.Object) (*rendered, error) {
	t.Helper()
	return inClusterWith(t, values(t, minimal), certManager, objects...)
}

func inClusterWith(t *testing.T, set map[string]any, certManager bool, objects ...runtime.Object) (*rendered, error) {
	t.Helper()
	objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}})
	client := cluster{fake.NewSimpleDynamicClient(scheme(), objects...)}
	return renderValues(t, set, func(c *chart.Chart, v chartutil.Values) (map[string]string, error) {
		if !certManager {
			v["Capabilities"] = chartutil.DefaultCapabilities
		}
		return engine.RenderWithClientProvider(c, v, client)
	})
}

func TestPasswordIsKept(t *testing.T) {
	password := func(r *rendered) string {
		return string(get[*corev1.Secret](t, r, "Secret/signpost-valkey").Data["redis-password"])
	}
	first, err := inCluster(t, true)
	if err != nil {
		t.Fatal(err)
	}
	if p := password(first); len(p) != 32 {
		t.Fatalf("the password has %d characters", len(p))
	}
	old := get[*corev1.Secret](t, first, "Secret/signpost-valkey")
	second, err := inCluster(t, true, old)
	if err != nil {
		t.Fatal(err)
	}
	if password(second) != password(first) {
		t.Error("an upgrade changes the password")
	}
	third, err := inCluster(t, true)
	if err != nil {
		t.Fatal(err)
	}
	if password(third) == password(first) {
		t.Error("two installations have the same password")
	}
	if must(t, "redis.existingSecret=mine").has("Secret/signpost-valkey") {
		t.Error("there is a Secret beside the existing one")
	}
}

func TestCertManagerIsMissing(t *testing.T) {
	if _, err := inCluster(t, false); err == nil || !strings.Contains(err.Error(), "cert-manager is not installed") {
		t.Errorf("in a cluster without cert-manager: %v", err)
	}
	// helm template asks no cluster, and knows no API groups but Kubernetes' own.
	_, err := renderValues(t, values(t, minimal), func(c *chart.Chart, v chartutil.Values) (map[string]string, error) {
		v["Capabilities"] = chartutil.DefaultCapabilities
		return engine.Render(c, v)
	})
	if err != nil {
		t.Errorf("helm template: %v", err)
	}
}

// An old cert-manager is known by its CustomResourceDefinition.
func TestCertManagerIsTooOld(t *testing.T) {
	crd := func(field string) runtime.Object {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "clusterissuers.cert-manager.io"},
			"spec": map[string]any{"versions": []any{map[string]any{"schema": map[string]any{"openAPIV3Schema": map[string]any{"properties": map[string]any{field: map[string]any{"type": "string"}}}}}}},
		}}
	}
	withIssuer := values(t, minimal, "issuer.email=me@example.com")
	if _, err := inClusterWith(t, withIssuer, true, crd("dns01")); err == nil || !strings.Contains(err.Error(), "older than v1.21") || !strings.Contains(err.Error(), "issuer.dns01.waitInsteadOfSelfCheck") {
		t.Errorf("with an old cert-manager: %v", err)
	}
	if _, err := inClusterWith(t, withIssuer, true, crd("waitInsteadOfSelfCheck")); err != nil {
		t.Error(err)
	}
	for _, fine := range []map[string]any{values(t, minimal), values(t, minimal, "issuer.email=me@example.com", "issuer.dns01.waitInsteadOfSelfCheck=")} {
		if _, err := inClusterWith(t, fine, true, crd("dns01")); err != nil {
			t.Errorf("it does not matter, and: %v", err)
		}
	}
}

// Who may not look into the cluster installs all the same: nothing is looked up but
// the password of before.
func TestWithoutLookingIntoTheCluster(t *testing.T) {
	for _, certManager := range []bool{true, false} {
		_, err := renderValues(t, values(t, minimal, "issuer.email=me@example.com", "checkCluster=false", "redis.existingSecret=s"), func(c *chart.Chart, v chartutil.Values) (map[string]string, error) {
			if !certManager {
				v["Capabilities"] = chartutil.DefaultCapabilities
			}
			return engine.RenderWithClientProvider(c, v, forbidden{})
		})
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := renderValues(t, values(t, minimal, "issuer.email=me@example.com"), func(c *chart.Chart, v chartutil.Values) (map[string]string, error) {
		return engine.RenderWithClientProvider(c, v, forbidden{})
	}); err == nil {
		t.Error("nothing is looked up: this test is for nothing")
	}
}

// forbidden is a cluster that lets nobody look.
type forbidden struct{}

func (forbidden) GetClientFor(_, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return nil, false, errors.New(kind + " is forbidden")
}
