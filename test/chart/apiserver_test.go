package chart

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	acmev1 "github.com/cert-manager/cert-manager/pkg/apis/acme/v1"
	admissionv1 "k8s.io/api/admission/v1"
	admregv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// apiServer is a real one, with Orders and a server that is called for them.
type apiServer struct {
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	orders  dynamic.NamespaceableResourceInterface
	hooks   *httptest.Server

	mu    sync.Mutex
	calls []string
}

// startAPIServer starts one that also knows the resources in more.
func startAPIServer(t *testing.T, more ...*apiextensionsv1.CustomResourceDefinition) *apiServer {
	t.Helper()
	for variable, program := range map[string]string{"ETCD": "etcd", "KUBE_APISERVER": "kube-apiserver", "KUBECTL": "kubectl"} {
		path, err := filepath.Abs("../../.cache/bin/" + program)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("TEST_ASSET_"+variable, path)
	}
	environment := &envtest.Environment{CRDs: append(more, ordersWithoutRequired(t))}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("%v (make setup builds what is needed)", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	a := &apiServer{}
	if a.kube, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if a.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	a.orders = a.dynamic.Resource(acmev1.SchemeGroupVersion.WithResource("orders"))
	for _, name := range []string{"team", "team-a", "team-b"} {
		if _, err := a.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	a.hooks = httptest.NewTLSServer(a)
	t.Cleanup(a.hooks.Close)
	return a
}

// ordersWithoutRequired is cert-manager's definition, in which everything may be missing.
func ordersWithoutRequired(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "deploy/crds/acme.cert-manager.io_orders.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(source, &crd); err != nil {
		t.Fatal(err)
	}
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	spec := schema.Properties["spec"]
	issuer := spec.Properties["issuerRef"]
	if len(schema.Required) == 0 || len(spec.Required) == 0 || len(issuer.Required) == 0 {
		t.Fatalf("required are %q, %q and %q", schema.Required, spec.Required, issuer.Required)
	}
	schema.Required, spec.Required, issuer.Required = nil, nil, nil
	spec.Properties["issuerRef"] = issuer
	schema.Properties["spec"] = spec
	return &crd
}

// ServeHTTP admits everything, and notes which entry was called.
func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.calls = append(a.calls, strings.TrimPrefix(r.URL.Path, "/"))
	a.mu.Unlock()
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// called returns what was called since it was asked last.
func (a *apiServer) called() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := strings.Join(a.calls, " ")
	a.calls = nil
	return calls
}

// register registers the gate, with its entries led to the server here, and waits
// until the API server goes by it.
func (a *apiServer) register(t *testing.T, gate *admregv1.ValidatingWebhookConfiguration) {
	t.Helper()
	gate = gate.DeepCopy()
	probe := fmt.Sprintf("probe-%d", time.Now().UnixNano())
	for i := range gate.Webhooks {
		entry, _, _ := strings.Cut(gate.Webhooks[i].Name, ".")
		url := a.hooks.URL + "/" + entry
		gate.Webhooks[i].ClientConfig = admregv1.WebhookClientConfig{
			URL: &url, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.hooks.Certificate().Raw}),
		}
	}
	// A further entry that shows that the API server has read this version.
	seen, url := gate.Webhooks[0].DeepCopy(), a.hooks.URL+"/"+probe
	seen.Name, seen.ClientConfig.URL = "probe.orders.signpost.dev", &url
	seen.MatchConditions = []admregv1.MatchCondition{{Name: "probe", Expression: "object.metadata.name == '" + probe + "'"}}
	gate.Webhooks = append(gate.Webhooks, *seen)

	configurations := a.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if err := configurations.Delete(t.Context(), gate.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	if _, err := configurations.Create(t.Context(), gate, metav1.CreateOptions{}); err != nil {
		t.Fatalf("%v\n%+v", err, gate.Webhooks)
	}
	o := order("team-a", ref{"kind": "ClusterIssuer", "name": "probe"})
	o.SetName(probe)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := a.orders.Namespace("team-a").Create(ctx, o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if strings.Contains(a.called(), probe) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the API server does not call the gate: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
