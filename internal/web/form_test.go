package web_test

import (
	"net/url"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"golang.org/x/net/html"
	"sigs.k8s.io/yaml"

	"github.com/signpost-acme/signpost/internal/status"
)

// answer asks the form, and gives the section of the page that it is in, as
// text, and the Certificate.
func answer(t *testing.T, s status.Snapshot, domain, namespace string) (text, manifest string) {
	t.Helper()
	body := page(t, s, "?"+url.Values{"domain": {domain}, "namespace": {namespace}}.Encode())
	_, section, _ := strings.Cut(body, `<section id="add"`)
	section, _, _ = strings.Cut(section, "</section>")
	section = "<section " + section
	root, err := html.Parse(strings.NewReader(section))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Data == "pre" && n.Attr[0].Key != "id" {
			manifest = n.FirstChild.FirstChild.Data
		}
	}
	return textOf(t, section), manifest
}

func TestForm(t *testing.T) {
	for _, tc := range []struct {
		domain, namespace string
		text              []string
		names             []string
		issuer            string // kind/name
	}{
		{"*.Example.com.", "", []string{"_acme-challenge.example.com", target, "every ClusterIssuer"}, []string{"*.example.com", "example.com"}, "ClusterIssuer/letsencrypt"},
		{" example.com ", "cert-manager", []string{target}, []string{"example.com"}, "ClusterIssuer/letsencrypt"},
		{"example.com", "team-a", []string{"9cc75bfc-78bd-50c2-8636-0932fd3aceed.acme.example.com", "the Issuers in namespace team-a"}, []string{"example.com"}, "Issuer/signpost"},
		{"bücher.example", "", []string{"bücher.example (xn--bcher-kva.example)", "_acme-challenge.xn--bcher-kva.example"}, []string{"xn--bcher-kva.example"}, "ClusterIssuer/letsencrypt"},
		{"_x.1.example", "1e3", nil, []string{"_x.1.example"}, "Issuer/signpost"},
		{"true.example", "null", nil, []string{"true.example"}, "Issuer/signpost"},
	} {
		text, manifest := answer(t, good(), tc.domain, tc.namespace)
		for _, want := range tc.text {
			if !strings.Contains(text, want) {
				t.Errorf("%q: no %q in: %s", tc.domain, want, text)
			}
		}
		var c cmv1.Certificate
		if err := yaml.UnmarshalStrict([]byte(manifest), &c); err != nil {
			t.Errorf("%q: %v\n%s", tc.domain, err, manifest)
			continue
		}
		if got := strings.Join(c.Spec.DNSNames, " "); got != strings.Join(tc.names, " ") || c.Spec.IssuerRef.Kind+"/"+c.Spec.IssuerRef.Name != tc.issuer ||
			c.Kind != "Certificate" || c.APIVersion != "cert-manager.io/v1" || c.Spec.SecretName == "" || c.Name == "" {
			t.Errorf("%q: the Certificate is\n%s", tc.domain, manifest)
		}
		if want := map[bool]string{true: tc.namespace}[c.Spec.IssuerRef.Kind == "Issuer"]; c.Namespace != want {
			t.Errorf("%q: namespace %q, want %q", tc.domain, c.Namespace, want)
		}
	}
}

// With strict namespaces the record is that of the Certificate's namespace.
func TestFormStrict(t *testing.T) {
	s := good()
	s.Strict = true
	text, manifest := answer(t, s, "*.example.com", "team-a")
	if !strings.Contains(text, "9cc75bfc-78bd-50c2-8636-0932fd3aceed.acme.example.com") || !strings.Contains(text, "Certificates in namespace team-a") {
		t.Error(text)
	}
	if !strings.Contains(manifest, "namespace: team-a") || !strings.Contains(manifest, "kind: ClusterIssuer") {
		t.Error(manifest)
	}
	if text, _ := answer(t, s, "*.example.com", ""); !strings.Contains(text, "write the namespace of the Certificate too") {
		t.Error(text)
	}
}

func TestFormBadInput(t *testing.T) {
	alone := good()
	alone.Namespace = ""
	for _, tc := range []struct {
		status            status.Snapshot
		domain, namespace string
		want              string
	}{
		{good(), "", "", "write a domain, for example *.example.com."},
		{good(), "https://example.com/", "", "write only the name"},
		{good(), "two words", "", "has a character that names cannot have: ' '."},
		{good(), "*.co.uk", "", `domain "*.co.uk": is a public suffix`},
		{good(), "com", "", `domain "com": is a public suffix`},
		{good(), "localhost", "", `domain "localhost": is a public suffix`},
		{good(), "a..b", "", "empty label"},
		{good(), "x.*.example.com", "", `has a "*" that is not the whole first label`},
		{good(), "192.0.2.1", "", "is an IP address, not a name"},
		{good(), "www.acme.example.com", "", "is inside the zone that Signpost itself serves"},
		{good(), strings.Repeat("long.", 60) + "example", "", "longer than"},
		{good(), "example.com", "Not A Namespace", "not the name of a Kubernetes namespace"},
		{good(), "\xff.example", "", "is not text in UTF-8"},
		{alone, "example.com", "", "write the namespace of the Issuer too"},
	} {
		text, manifest := answer(t, tc.status, tc.domain, tc.namespace)
		if !strings.Contains(text, tc.want) || strings.Contains(text, "_acme-challenge") || manifest != "" {
			t.Errorf("%q, %q: want only %q, got: %s %s", tc.domain, tc.namespace, tc.want, text, manifest)
		}
	}
	// The link with which a reader without JavaScript stops the reloading.
	if body := page(t, good(), "?domain="); strings.Contains(body, "write a domain") || strings.Contains(body, "http-equiv") {
		t.Error("?domain= is not the page that stands still")
	}
	if body := page(t, good(), ""); !strings.Contains(body, `<noscript><meta http-equiv="refresh" content="10"></noscript>`) {
		t.Error("the page does not reload without JavaScript")
	}
}
