package web_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/status"
	"github.com/signpost-acme/signpost/internal/web"
	"github.com/signpost-acme/signpost/internal/zone"
)

// target is the one for example.com and cert-manager, from the design's vectors.
const target = "01917426-a1cd-547e-bc8e-ca4d7b697e62.acme.example.com"

// good is a status in which all is well.
func good() status.Snapshot {
	now := time.Now()
	expiry, renewal := now.Add(60*24*time.Hour), now.Add(30*24*time.Hour)
	return status.Snapshot{
		At: now, Version: "v1.2.3", Zone: "acme.example.com", Group: "acme.example.com", Namespace: "cert-manager",
		Records: []zone.Record{{Name: "acme.example.com", Type: "NS", Value: "ns-acme.example.com", Why: "It delegates."}},
		Server:  []check.Finding{{Check: "delegation", Subject: "acme.example.com", Status: check.OK}},
		Domains: []status.Domain{{
			Name: "example.com", Scope: "cert-manager",
			Record: zone.Record{Name: "_acme-challenge.example.com", Type: "CNAME", Value: target},
			Checks: []check.Finding{{Check: "cname", Subject: "_acme-challenge.example.com", Status: check.OK}},
			Certificates: []status.Certificate{{
				Namespace: "shop", Name: "example-com", Secret: "example-com-tls", DNSNames: []string{"*.example.com"},
				Issuer: "ClusterIssuer/letsencrypt", Ready: true, NotAfter: &expiry, RenewalTime: &renewal,
			}},
		}},
		Replicas: []status.Replica{{Address: "192.0.2.1:53", Self: true}, {Address: "192.0.2.2:53"}},
		Store:    status.StoreState{Kind: "redis", OK: true, Synced: true, Names: 3},
	}
}

// serve serves the page on a real socket, and gives its address.
func serve(t *testing.T, status func() status.Snapshot) string {
	t.Helper()
	z, err := zone.New("acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(web.Handler(web.Config{Ready: func() error { return errors.New("starting") }, Snapshot: status, Zone: z}))
	t.Cleanup(server.Close)
	return server.URL
}

func request(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "anything.example"
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func page(t *testing.T, s status.Snapshot, query string) string {
	t.Helper()
	_, body := request(t, "GET", serve(t, func() status.Snapshot { return s })+"/"+query)
	return body
}

func TestPaths(t *testing.T) {
	base := serve(t, good)
	for _, tc := range []struct {
		method, path string
		code         int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/?fragment", 200, "text/html; charset=utf-8"},
		{"GET", "/?domain=example.com", 200, "text/html; charset=utf-8"},
		{"GET", "/?domain=not+a+name", 400, "text/html; charset=utf-8"},
		{"GET", "/status.json", 200, "application/json"},
		{"HEAD", "/status.json", 200, "application/json"},
		{"GET", "/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/page.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8"},
		{"GET", "/readyz", 503, "text/plain; charset=utf-8"},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{"GET", "/index.html", 404, "text/html; charset=utf-8"},
		{"GET", "/assets/", 404, "text/html; charset=utf-8"},
		{"GET", "/page.html", 404, "text/html; charset=utf-8"},
		{"GET", "/domain/", 404, "text/html; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
		{"DELETE", "/status.json", 405, "text/plain; charset=utf-8"},
	} {
		response, body := request(t, tc.method, base+tc.path)
		if got := response.Header.Get("Content-Type"); response.StatusCode != tc.code || got != tc.contentType {
			t.Errorf("%s %s = %d %s, want %d %s", tc.method, tc.path, response.StatusCode, got, tc.code, tc.contentType)
		}
		if tc.method == "HEAD" && body != "" {
			t.Errorf("HEAD %s has a body", tc.path)
		}
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           "no-store",
		} {
			if got := response.Header.Get(header); got != want {
				// net/http removes it from its own errors, which must not be kept either way
				if header == "Cache-Control" && tc.code >= 404 {
					continue
				}
				t.Errorf("%s %s: %s: %q, want %q", tc.method, tc.path, header, got, want)
			}
		}
	}
}

// What is not there is said in a page that leads back, and no page leads where an Ingress
// for the page alone does not.
func TestNotFound(t *testing.T) {
	h := handlerOf(t, good())
	for path, base := range map[string]string{"/nosuchpage": "", "/domain/": "../", "/domain/x/y/z": "../../../"} {
		w := get(h, path)
		if body := w.Body.String(); w.Code != http.StatusNotFound || !strings.Contains(body, "There is no page at this address.") || !strings.Contains(body, `<a href="`+base+`">The status page</a>`) {
			t.Errorf("%s: %d\n%s", path, w.Code, body)
		}
	}
	for _, path := range []string{"/", "/domain/cert-manager/example.com", "/nosuchpage"} {
		if body := get(h, path).Body.String(); strings.Contains(body, `metrics"`) {
			t.Errorf("%s has a link to the metrics", path)
		}
	}
}

func TestNoPage(t *testing.T) {
	server := httptest.NewServer(web.Handler(web.Config{Ready: func() error { return nil }}))
	defer server.Close()
	for path, code := range map[string]int{"/": 404, "/status.json": 404, "/readyz": 200} {
		if response, _ := request(t, "GET", server.URL+path); response.StatusCode != code {
			t.Errorf("GET %s = %d, want %d", path, response.StatusCode, code)
		}
	}
}

func TestContent(t *testing.T) {
	s := good()
	d := &s.Domains[0]
	d.Name, d.Unicode = "xn--bcher-kva.example", "bücher.example"
	d.Challenges = []status.Challenge{{
		Namespace: "shop", Name: "bucher-1", DNSName: "*.xn--bcher-kva.example", Since: s.At.Add(-90 * time.Second), State: "pending", Reason: "waiting for propagation", HeldBy: "team-b/other-1",
		Presented: true, Asked: status.Asked{Answered: 1, Networks: []string{"192.0.2.0/24", "2001:db8::/48"}},
	}}
	text := textOf(t, page(t, s, ""))
	for _, want := range []string{
		"bücher.example", "xn--bcher-kva.example", target, "ns-acme.example.com", "It delegates.",
		"pending, for 1 minute", "The value is served.", "Asked for 1 time with an answer, from 192.0.2.0/24, 2001:db8::/48.",
		"in the whole cluster, and that is team-b/other-1 now.", "cert-manager says: waiting for propagation", "Certificate shop/example-com", "ClusterIssuer/letsencrypt", "example-com-tls",
		"(in 59 days)", "(in 29 days)", "192.0.2.1:53 (this page)", "3 names have challenge values", "Signpost v1.2.3",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestHostile: whatever is in a status, it is text on the page and nothing else.
func TestHostile(t *testing.T) {
	const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}</pre></title>javascript:alert(1)//`
	s := good()
	s.Domains[0].Challenges = []status.Challenge{{Asked: status.Asked{Answered: 1, Networks: []string{""}}}}
	fill(reflect.ValueOf(&s).Elem(), hostile)
	for _, query := range []string{"", "?fragment", "?domain=" + url.QueryEscape(hostile) + "&namespace=" + url.QueryEscape(hostile), "?domain=example.com"} {
		body := page(t, s, query)
		if strings.Count(body, "alert(1)") < 20 {
			t.Errorf("%q: the test does not reach the page", query)
		}
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			for _, a := range n.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src" && a.Val != "page.js" && a.Val != "icon.svg",
					a.Key == "href" && strings.HasPrefix(a.Val, "javascript"):
					t.Errorf("%q: <%s %s=%q>", query, n.Data, a.Key, a.Val)
				}
			}
			if n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%q: a script in the page: %s", query, n.FirstChild.Data)
			}
		}
	}
}

// fill sets every string that is reached from v.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				fill(v.Field(i), s)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), s)
		}
	}
}

// textOf is what a reader sees, with single spaces.
func textOf(t *testing.T, body string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
