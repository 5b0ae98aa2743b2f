// Package chart tests the Helm chart: what it renders, what it refuses, and that
// its README says what its values are.
package chart

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	apiregv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const chartDir = "../../charts/signpost"

// release is the one that the tests render: its names are those of the chart.
var release = chartutil.ReleaseOptions{Name: "signpost", Namespace: "dns", IsInstall: true, Revision: 1}

// minimal is what a user has to set.
const minimal = "zone=acme.example.com"

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// capabilities are those of a cluster with cert-manager.
func capabilities() *chartutil.Capabilities {
	c := *chartutil.DefaultCapabilities
	c.KubeVersion = chartutil.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}
	c.APIVersions = append(slices.Clone(c.APIVersions), "cert-manager.io/v1", "acme.cert-manager.io/v1")
	return &c
}

// values are what --set sets.
func values(t *testing.T, sets ...string) map[string]any {
	t.Helper()
	v := map[string]any{}
	for _, s := range sets {
		if err := strvals.ParseInto(s, v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// rendered is what a chart makes: objects by "Kind/name", and NOTES.txt.
type rendered struct {
	objects map[string]runtime.Object
	notes   string
}

// render renders the chart as helm template does. Every object must decode into
// its type without a field that the type does not have.
func render(t *testing.T, sets ...string) (*rendered, error) {
	t.Helper()
	return renderValues(t, values(t, sets...), engine.Render)
}

func renderValues(t *testing.T, v map[string]any, run func(*chart.Chart, chartutil.Values) (map[string]string, error)) (*rendered, error) {
	t.Helper()
	c := load(t)
	all, err := chartutil.ToRenderValues(c, v, release, capabilities())
	if err != nil {
		return nil, err
	}
	files, err := run(c, all)
	if err != nil {
		return nil, err
	}
	r := &rendered{objects: map[string]runtime.Object{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			r.notes = files[name]
			continue
		}
		if err := r.decode(name, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	return r, nil
}

func (r *rendered) decode(file, text string) error {
	decoder := serializer.NewCodecFactory(scheme(), serializer.EnableStrict).UniversalDeserializer()
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		var u unstructured.Unstructured
		if err := yaml.Unmarshal(doc, &u.Object); err != nil {
			return fmt.Errorf("%s: %w\n%s", file, err, doc)
		}
		if len(u.Object) == 0 {
			continue
		}
		var object runtime.Object = &u
		if !strings.HasPrefix(u.GetAPIVersion(), "monitoring.coreos.com/") { // its types are nowhere here
			if object, _, err = decoder.Decode(doc, nil, nil); err != nil {
				return fmt.Errorf("%s: %w\n%s", file, err, doc)
			}
		}
		key := u.GetKind() + "/" + u.GetName()
		if r.objects[key] != nil {
			return fmt.Errorf("%s: %s is rendered twice", file, key)
		}
		r.objects[key] = object
	}
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, cmv1.AddToScheme, apiregv1.AddToScheme, gatewayv1.Install} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// must renders values that the chart has to accept.
func must(t *testing.T, sets ...string) *rendered {
	t.Helper()
	r, err := render(t, append([]string{minimal}, sets...)...)
	if err != nil {
		t.Fatalf("%q: %v", sets, err)
	}
	return r
}

// get returns an object, which has to be there.
func get[T runtime.Object](t *testing.T, r *rendered, key string) T {
	t.Helper()
	object, ok := r.objects[key].(T)
	if !ok {
		t.Fatalf("no %s of the right type; there are %v", key, r.keys())
	}
	return object
}

func (r *rendered) has(key string) bool { return r.objects[key] != nil }

func (r *rendered) keys() []string { return slices.Sorted(maps.Keys(r.objects)) }
