package ownerpage

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
)

// Links that are forged, changed, replayed to another domain, or have expired get a
// page that says so and nothing else, and have nothing looked at.
func TestRefusedLinks(t *testing.T) {
	w := newWorld(t)
	ended := w.link(testScope, testDomain, time.Now().Add(-time.Second))
	for what, tc := range map[string]struct {
		path string
		code int
		text string
	}{
		"forged":             {w.first[:len(w.first)-1] + "x", 404, "not valid"},
		"to another domain":  {strings.Replace(w.first, testDomain, "other.example.com", 1), 404, "not valid"},
		"of another scope":   {strings.Replace(w.first, testScope, "kube-system", 1), 404, "not valid"},
		"expired":            {ended, 410, "has expired"},
		"expired and forged": {strings.Replace(ended, testDomain, "other.example.com", 1), 404, "not valid"},
		"nothing":            {"/", 404, "not valid"},
		"the status page":    {"/status.json", 404, "not valid"},
		"the metrics":        {"/metrics", 404, "not valid"},
	} {
		got := w.get(tc.path)
		page := got.Body.String()
		if got.Code != tc.code || !strings.Contains(page, tc.text) {
			t.Errorf("%s: %d\n%s", what, got.Code, page)
		}
		for _, secret := range []string{testDomain, "other.example", testScope, "kube-system", "Example Hosting", "dns@example.net", "acme.example.org", "/v1/", "<script"} {
			if strings.Contains(page, secret) {
				t.Errorf("%s: the page says %q:\n%s", what, secret, page)
			}
		}
		if german := w.get(tc.path, "Accept-Language", "de"); !strings.Contains(german.Body.String(), `lang="de"`) {
			t.Errorf("%s: no German", what)
		}
	}
	if w.looks != 0 || len(w.page.looks.domains) != 0 {
		t.Errorf("%d looks, %d domains remembered", w.looks, len(w.page.looks.domains))
	}
}

// There is one way to write a link: everything else is another path, and is refused
// without a redirect.
func TestPathTricks(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		w.first + "/", "/" + w.first, "/." + w.first, "/x/.." + w.first, w.first + "/../" + testDomain, w.first + "%00", w.first + "%2f", w.first + ";x",
		strings.Replace(w.first, "/v1/", "/v1//", 1), strings.Replace(w.first, "/v1/", "/%76%31/", 1), strings.Replace(w.first, "shop", "SHOP", 1),
		strings.Replace(w.first, "shop", "%73hop", 1), strings.Replace(w.first, testDomain, testDomain+".", 1), strings.Replace(w.first, testDomain, "*."+testDomain, 1),
		"/..%2f..%2fetc/passwd", "/assets/page.html", "/page.html", "/style.css/", "/text/en.yaml", "/records/records" + w.first,
	} {
		if got := w.get(path); got.Code != http.StatusNotFound || got.Header().Get("Location") != "" {
			t.Errorf("%s: %d, Location %q", path, got.Code, got.Header().Get("Location"))
		}
	}
	for _, path := range []string{w.first, "/records" + w.first, "/style.css", "/records/page.js", "/icon.svg"} { // with and without the base that a proxy takes away
		if got := w.get(path); got.Code != http.StatusOK {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PROPFIND"} {
		out := httptest.NewRecorder()
		w.page.ServeHTTP(out, httptest.NewRequest(method, "/v1/x", strings.NewReader("x=y")))
		if out.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, out.Code)
		}
	}
}

// Whatever the request says of itself, the answer has no word of it.
func TestNothingIsReflected(t *testing.T) {
	w := newWorld(t)
	const evil = "evil.example"
	w.again(0)
	plain := w.get(w.first)
	for _, query := range []string{"", "?language=%3Cscript%3E" + evil, "?x=" + evil, "?language=de%0d%0aSet-Cookie:%20" + evil, "?%zz=" + evil, "?live=" + evil} {
		r := httptest.NewRequest(http.MethodGet, w.first+query, nil)
		r.Host = evil
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "Referer", "Origin", "Cookie", "Accept-Language"} {
			r.Header.Set(name, "https://"+evil+"/")
		}
		out := httptest.NewRecorder()
		w.page.ServeHTTP(out, r)
		if out.Code != http.StatusOK {
			t.Errorf("%s: %d", query, out.Code)
		}
		if all := out.Body.String() + fmt.Sprint(out.Header()); strings.Contains(all, evil) {
			t.Errorf("%s: %s is in the answer\n%s", query, evil, all)
		}
		if !strings.Contains(query, "live") && out.Body.String() != plain.Body.String() {
			t.Errorf("%s: another page", query)
		}
	}
}

// No name is markup: neither one that a domain's owner chooses, nor one of the values.
func TestNamesAreNoMarkup(t *testing.T) {
	w := newWorld(t)
	const script = `"><script>alert(1)</script>`
	s := found("cname-elsewhere", check.Failed, "CNAME "+script)
	s.Nameservers = []string{`ns1.example.com` + script, "{domain}"}
	s.Apex = "example.com" + script
	w.page.Company, w.page.Contact = script, script
	page := w.sees(s, Certificates{}, "")
	if strings.Contains(page, "<script>alert") || strings.Contains(page, `"><`) && strings.Contains(page, `="">`) {
		t.Error(page)
	}
	has(t, "escaped", page, "&lt;script&gt;", "are ns1.example.com&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;, {domain}")
}

// Headers that keep a browser from doing, keeping or telling anything.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{w.first, w.first + "?live", "/style.css", "/nothing", w.link(testScope, testDomain, time.Now().Add(-time.Hour))} {
		h := w.get(path).Header()
		for name, want := range map[string]string{
			"Cache-Control": "no-store, private", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex, nofollow",
			"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: no %s in %q", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// The page knows one domain: no namespace but in the link itself, no Certificates'
// names, nothing of the domain in another scope.
func TestOneDomainOnly(t *testing.T) {
	w := newWorld(t)
	page := w.sees(found("cname", check.OK, "CNAME x"), Certificates{Issuance: Issued, Expires: time.Now().Add(time.Hour)}, "")
	if rest := strings.ReplaceAll(page, w.first, ""); strings.Contains(rest, testScope) {
		t.Errorf("the page names the namespace:\n%s", rest)
	}
	other := w.get(w.link("other-namespace", testDomain, time.Now().Add(time.Hour))).Body.String()
	if strings.Contains(other, "valid until 20") {
		t.Errorf("another scope has its certificate:\n%s", other)
	}
}
