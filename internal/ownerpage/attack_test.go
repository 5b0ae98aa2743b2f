package ownerpage

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signpost-acme/signpost/internal/check"
	"github.com/signpost-acme/signpost/internal/poll"
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

// Ten thousand requests of one client, and of as many domains as there are links:
// looks, memory and goroutines stay bounded.
func TestFloodOfLinks(t *testing.T) {
	w := newWorld(t)
	w.slow = make(chan struct{})
	release := sync.OnceFunc(func() { close(w.slow) })
	defer release()
	before, begin := runtime.NumGoroutine(), time.Now()
	codes := map[int]int{}
	for range 10_000 {
		codes[w.get(w.first).Code]++
	}
	if codes[200] < pagesAtOnce || codes[200] > 2000 || codes[200]+codes[429] != 10_000 {
		t.Errorf("one link: %v", codes)
	}
	if w.looks > 1 {
		t.Errorf("%d looks for one link", w.looks)
	}
	for range 10_000 {
		if got := w.get(w.first[:len(w.first)-4] + "0000"); got.Code != 404 {
			t.Fatal(got.Code)
		}
	}
	// Who has another link is served meanwhile.
	if got := w.get(w.link(testScope, "another.example.com", time.Now().Add(time.Hour))); got.Code != 200 {
		t.Errorf("another link: %d", got.Code)
	}
	for i := range 3 * maxDomains {
		w.get(w.link(testScope, fmt.Sprintf("d%d.example.com", i), time.Now().Add(time.Hour)))
	}
	w.page.looks.mu.Lock()
	n := len(w.page.looks.domains)
	w.page.looks.mu.Unlock()
	w.mu.Lock()
	most, looks := w.most, w.looks
	w.mu.Unlock()
	if n > maxDomains || most > looksAtOnce || looks > looksAtOnce*(1+int(time.Since(begin)/lookTimeout)) || runtime.NumGoroutine() > before+looksAtOnce+2 {
		t.Errorf("%d domains, %d looks, %d at a time, %d goroutines, before %d", n, looks, most, runtime.NumGoroutine(), before)
	}
	release()
	poll.Until(t, 5*time.Second, "the looks end", func() error {
		if n := runtime.NumGoroutine(); n > before+1 {
			return fmt.Errorf("%d goroutines, before %d", n, before)
		}
		return nil
	})
}

// All who have a page open share its looks: no more than one every two seconds, and
// only a question where nothing has changed.
func TestLooksAreShared(t *testing.T) {
	w := newWorld(t)
	w.mu.Lock()
	w.sight, w.changed = found("cname-missing", check.Failed, "nothing"), false
	w.mu.Unlock()
	w.again(0)
	s := w.page.looks.domains[testScope+"/"+testDomain]
	if pause := time.Until(s.next); pause < wrongPause/2 || pause > wrongPause {
		t.Errorf("the next look is in %v", pause)
	}
	for range 40 {
		w.get(w.first)
	}
	if w.looks != 1 {
		t.Errorf("%d looks", w.looks)
	}
	due := func() { // and waits for what follows
		w.page.looks.mu.Lock()
		s.next = time.Time{}
		w.page.looks.mu.Unlock()
		w.get(w.first)
		poll.Until(t, 5*time.Second, "the look ends", func() error {
			w.page.looks.mu.Lock()
			defer w.page.looks.mu.Unlock()
			if s.running || s.next.IsZero() {
				return context.DeadlineExceeded
			}
			return nil
		})
	}
	if due(); w.looks != 1 {
		t.Errorf("nothing has changed, and %d looks were made", w.looks)
	}
	w.page.looks.mu.Lock()
	s.whole = time.Now().Add(-wholeLook - time.Second)
	w.page.looks.mu.Unlock()
	if due(); w.looks != 2 {
		t.Errorf("after a while, %d looks were made", w.looks)
	}
}

// Clients that hold connections, or send headers without end, end by themselves.
func TestSlowClients(t *testing.T) {
	w := newWorld(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, w.page, slog.New(slog.DiscardHandler)) }()
	var closed atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nX: ") // and no more
			_ = conn.SetReadDeadline(time.Now().Add(8 * time.Second))
			if _, err := conn.Read(make([]byte, 1024)); err == nil || !strings.Contains(err.Error(), "timeout") {
				closed.Add(1)
			}
		})
	}
	if resp, err := http.Get("http://" + listener.Addr().String() + w.first); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("meanwhile: %v, %v", resp, err)
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+w.first, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X", strings.Repeat("x", 64<<10))
	if resp, err := http.DefaultClient.Do(r); err == nil && resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KB of header: %d", resp.StatusCode)
	}
	wg.Wait()
	if closed.Load() != 20 {
		t.Errorf("%d of 20 slow connections were ended", closed.Load())
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
