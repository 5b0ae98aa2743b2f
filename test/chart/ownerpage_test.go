package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	psaapi "k8s.io/pod-security-admission/api"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// ownerPage are the values of one that is on.
var ownerPage = []string{"ownerPage.enabled=true", "ownerPage.url=https://certs.example.com/records", "ownerPage.company=Example Hosting Ltd"}

func withOwnerPage(sets ...string) []string { return append(slices.Clone(ownerPage), sets...) }

// What the owner's page adds: nothing unless it is on, and no right at all.
func TestOwnerPageObjects(t *testing.T) {
	off := must(t).keys()
	for set, want := range map[string][]string{
		"ownerPage.company=x": {"NetworkPolicy/signpost-owner-page", "Secret/signpost-owner-keys", "Service/signpost-owner-page"},
		"ownerPage.existingSecret=mine,ownerPage.networkPolicy.enabled=false": {"Service/signpost-owner-page"},
		"ownerPage.ingress.enabled=true":                                      {"Ingress/signpost-owner-page", "NetworkPolicy/signpost-owner-page", "Secret/signpost-owner-keys", "Service/signpost-owner-page"},
		"ownerPage.httpRoute.enabled=true,ownerPage.httpRoute.parentRefs[0].name=gw,ownerPage.texts.fr.language=Français": {
			"ConfigMap/signpost-owner-page-texts", "HTTPRoute/signpost-owner-page", "NetworkPolicy/signpost-owner-page", "Secret/signpost-owner-keys", "Service/signpost-owner-page"},
	} {
		r := must(t, withOwnerPage(strings.Split(set, ",")...)...)
		got := slices.DeleteFunc(r.keys(), func(key string) bool { return slices.Contains(off, key) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: makes %q, want %q", set, got, want)
		}
		for right := range r.rules() {
			if !must(t).rules()[right] {
				t.Errorf("%s: grants %q", set, right)
			}
		}
		if v := violations(t, psaapi.LevelRestricted, r.pods()["Deployment/signpost"]); v != "" {
			t.Errorf("%s: %s", set, v)
		}
	}
	for _, key := range off {
		if strings.Contains(key, "owner") {
			t.Errorf("off, and there is %s", key)
		}
	}
	for name := range env(t, must(t)) {
		if strings.Contains(name, "OWNER") {
			t.Errorf("off, and %s is set", name)
		}
	}
}

func TestOwnerPageSettings(t *testing.T) {
	r := must(t, withOwnerPage("ownerPage.contact=dns@example.com", "ownerPage.texts.fr.language=Français", "ownerPage.port=9443", "ownerPage.existingSecret=mine")...)
	vars := env(t, r)
	for name, want := range map[string]string{
		"SIGNPOST_OWNER_LISTEN": ":9443", "SIGNPOST_OWNER_URL": "https://certs.example.com/records", "SIGNPOST_OWNER_KEYS": "/owner-keys",
		"SIGNPOST_OWNER_COMPANY": "Example Hosting Ltd", "SIGNPOST_OWNER_CONTACT": "dns@example.com", "SIGNPOST_OWNER_TEXTS": "/owner-texts",
	} {
		if vars[name].Value != want {
			t.Errorf("%s is %q, want %q", name, vars[name].Value, want)
		}
	}
	pod := get[*appsv1.Deployment](t, r, "Deployment/signpost").Spec.Template
	mounts := map[string]string{}
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		mounts[m.MountPath] = m.Name
		if !m.ReadOnly {
			t.Errorf("%s can be written to", m.MountPath)
		}
	}
	for _, v := range pod.Spec.Volumes {
		switch v.Name {
		case mounts["/owner-keys"]:
			if v.Secret.SecretName != "mine" || len(v.Secret.Items) != 0 {
				t.Errorf("keys from %+v", v.Secret)
			}
			delete(mounts, "/owner-keys")
		case mounts["/owner-texts"]:
			if text := get[*corev1.ConfigMap](t, r, "ConfigMap/"+v.ConfigMap.Name).Data["fr.yaml"]; text != "language: Français\n" {
				t.Errorf("texts %q", text)
			}
			delete(mounts, "/owner-texts")
		}
	}
	if mounts["/owner-keys"] != "" || mounts["/owner-texts"] != "" {
		t.Errorf("mounts without volumes: %v", mounts)
	}
	sum := pod.Annotations["signpost.dev/owner-texts"]
	other := get[*appsv1.Deployment](t, must(t, withOwnerPage("ownerPage.texts.fr.language=French")...), "Deployment/signpost").Spec.Template.Annotations["signpost.dev/owner-texts"]
	if sum == "" || sum == other {
		t.Errorf("other texts start no other pods: %q", sum)
	}
	annotations := get[*apiregv1.APIService](t, r, "APIService/v1alpha1.acme.example.com").Annotations
	if annotations["signpost.dev/owner-url"] != "https://certs.example.com/records" || annotations["signpost.dev/owner-keys"] != "dns/mine" {
		t.Errorf("the command line reads %v", annotations)
	}
	if !strings.Contains(r.notes, "signpost invite example.com") || !strings.Contains(r.notes, "Lead that URL, with TLS, to the Service signpost-owner-page") {
		t.Errorf("notes:\n%s", r.notes)
	}
}

// The way from outside: one port of the pods, and a policy for it alone.
func TestOwnerPageIsReached(t *testing.T) {
	from := "ownerPage.networkPolicy.from[0].namespaceSelector.matchLabels.name=ingress"
	r := must(t, withOwnerPage("ownerPage.ingress.enabled=true", "ownerPage.ingress.className=nginx", "ownerPage.ingress.tlsSecretName=tls", from)...)
	service := get[*corev1.Service](t, r, "Service/signpost-owner-page")
	if p := service.Spec.Ports; len(p) != 1 || p[0].TargetPort != intstr.FromString("owner") || p[0].Name != "owner" {
		t.Errorf("the Service has the ports %+v", p)
	}
	ingress := get[*networkingv1.Ingress](t, r, "Ingress/signpost-owner-page").Spec
	path := ingress.Rules[0].HTTP.Paths[0]
	if *ingress.IngressClassName != "nginx" || ingress.Rules[0].Host != "certs.example.com" || path.Path != "/records" || *path.PathType != networkingv1.PathTypePrefix ||
		path.Backend.Service.Name != service.Name || path.Backend.Service.Port.Name != "owner" || ingress.TLS[0].SecretName != "tls" || ingress.TLS[0].Hosts[0] != "certs.example.com" {
		t.Errorf("%+v", ingress)
	}
	own := get[*networkingv1.NetworkPolicy](t, r, "NetworkPolicy/signpost-owner-page").Spec
	if len(own.Ingress) != 1 || len(own.Ingress[0].Ports) != 1 || own.Ingress[0].Ports[0].Port.StrVal != "owner" || len(own.Ingress[0].From) != 1 {
		t.Errorf("policy %+v", own)
	}
	for _, rule := range get[*networkingv1.NetworkPolicy](t, r, "NetworkPolicy/signpost").Spec.Ingress {
		for _, p := range rule.Ports {
			if p.Port.StrVal == "owner" {
				t.Error("the other policy lets everybody reach the owner's page")
			}
		}
	}
	r = must(t, withOwnerPage("ownerPage.url=https://certs.example.com:8443/", "ownerPage.httpRoute.enabled=true", "ownerPage.httpRoute.parentRefs[0].name=gw", "ownerPage.service.port=8080")...)
	route := get[*gatewayv1.HTTPRoute](t, r, "HTTPRoute/signpost-owner-page").Spec
	if route.ParentRefs[0].Name != "gw" || route.Hostnames[0] != "certs.example.com" || *route.Rules[0].Matches[0].Path.Value != "/" ||
		route.Rules[0].BackendRefs[0].Name != "signpost-owner-page" || *route.Rules[0].BackendRefs[0].Port != 8080 {
		t.Errorf("%+v", route)
	}
}

// A key is made once, and what somebody has put beside it is kept.
func TestOwnerKeysAreKept(t *testing.T) {
	set := values(t, append([]string{minimal}, ownerPage...)...)
	keys := func(objects ...runtime.Object) map[string][]byte {
		t.Helper()
		r, err := inClusterWith(t, set, true, objects...)
		if err != nil {
			t.Fatal(err)
		}
		return get[*corev1.Secret](t, r, "Secret/signpost-owner-keys").Data
	}
	first := keys()
	if len(first) != 1 || len(first["key-1"]) != 48 {
		t.Fatalf("%d keys, of %d characters", len(first), len(first["key-1"]))
	}
	old := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: "signpost-owner-keys"},
		Data: map[string][]byte{"key-1": first["key-1"], "key-2": []byte("another one")}}
	second := keys(old)
	if len(second) != 2 || string(second["key-1"]) != string(first["key-1"]) || string(second["key-2"]) != "another one" {
		t.Errorf("after the upgrade: %d keys", len(second))
	}
}

func TestWrongOwnerPages(t *testing.T) {
	for set, names := range map[string]string{
		"ownerPage.url=":                      "ownerPage.url: is needed",
		"ownerPage.url=certs.example.com":     "url",
		"ownerPage.url=https://x/?y=z":        "url",
		"ownerPage.port=8080":                 "ownerPage.port: 8080 is another port",
		"ownerPage.port=1053":                 "ownerPage.port",
		"ownerPage.httpRoute.enabled=true":    "ownerPage.httpRoute.parentRefs",
		"ownerPage.texts.FR.language=x":       "FR",
		"ownerPage.service.type=ExternalName": "type",
		"ownerPage.enabld=true":               "enabld",
		"ownerPage.ingress.enabled=true,ownerPage.httpRoute.enabled=true,ownerPage.httpRoute.parentRefs[0].name=gw": "choose one",
	} {
		if _, err := render(t, append([]string{minimal}, withOwnerPage(strings.Split(set, ",")...)...)...); err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v, want %q", set, err, names)
		}
	}
}

// The API server takes what these values make, HTTPRoutes by Gateway API's own
// definition.
func TestTheAPIServerTakesTheOwnerPage(t *testing.T) {
	a := startAPIServer(t, httpRoutes(t))
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	for _, sets := range [][]string{
		{"ownerPage.ingress.enabled=true", "ownerPage.ingress.tlsSecretName=tls", "ownerPage.texts.fr.language=x"},
		{"ownerPage.ingress.enabled=true", "ownerPage.url=https://certs.example.com", "ownerPage.networkPolicy.from[0].podSelector.matchLabels.app=ingress"},
		{"ownerPage.httpRoute.enabled=true", "ownerPage.httpRoute.parentRefs[0].name=gw", "ownerPage.httpRoute.parentRefs[0].namespace=gateways", "ownerPage.service.type=LoadBalancer"},
	} {
		r, taken := must(t, withOwnerPage(sets...)...), 0
		for key, object := range r.objects {
			if !strings.Contains(key, "owner") && key != "Deployment/signpost" {
				continue
			}
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
			if err != nil {
				t.Fatal(err)
			}
			u := &unstructured.Unstructured{Object: content}
			u.SetNamespace("team-a")
			delete(u.Object, "status")
			gvk := u.GroupVersionKind()
			plural, ok := map[string]string{"Secret": "secrets", "ConfigMap": "configmaps", "Service": "services", "Deployment": "deployments",
				"Ingress": "ingresses", "NetworkPolicy": "networkpolicies", "HTTPRoute": "httproutes"}[gvk.Kind]
			if !ok {
				t.Fatalf("%s is new", key)
			}
			if _, err := a.dynamic.Resource(gvk.GroupVersion().WithResource(plural)).Namespace("team-a").Create(t.Context(), u, dry); err != nil {
				t.Errorf("%q: %s: %v", sets, key, err)
			}
			taken++
		}
		if taken < 5 {
			t.Errorf("%q: only %d objects", sets, taken)
		}
	}
}

func httpRoutes(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(source, &crd); err != nil {
		t.Fatal(err)
	}
	return &crd
}
